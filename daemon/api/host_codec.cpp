#include "api/host_codec.hpp"

#include "api/error_codec.hpp"
#include "base/json.hpp"
#include "covey/version.hpp"

#include <string>
#include <utility>

#include <sys/utsname.h>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kApiVersion = "1.0";
constexpr const char* kOciVersion = "1.3.0";
/// Only ever added to: clients ask for these words, not for version numbers.
constexpr const char* kFeatures[] = {"sandboxes",      "processes",      "oci",
                                     "containers",     "exec",           "events",
                                     "pidMode.pod",    "pidMode.nested", "pidMode.container",
                                     "pidMode.target", "pidMode.node",   "capabilities",
                                     "access",         "pid1Signals"};

std::string_view status_name(HostCheck::Status status) noexcept {
    switch (status) {
        case HostCheck::Status::ok:
            return "ok";
        case HostCheck::Status::warning:
            return "warning";
        case HostCheck::Status::failure:
            return "failure";
    }
    return "failure";
}

std::string kernel_release() {
    utsname names{};
    ::uname(&names);
    return static_cast<const char*>(names.release);
}

}  // namespace

Response version_response() {
    return json_response({{"version", COVEY_VERSION},
                          {"apiVersion", kApiVersion},
                          {"ociVersion", kOciVersion},
                          {"features", kFeatures}});
}

Response info_response(const cgroup::Host& host, const std::vector<HostCheck>& checks) {
    Json v1 = Json::array();
    for (const auto& [name, mount] : host.v1)
        v1.push_back(name);
    Json cgroup{{"layout", cgroup::layout_name(host.layout)}};
    if (!host.unified.empty()) cgroup["unified"] = host.unified;
    cgroup["unifiedControllers"] = host.unified_controllers;
    cgroup["v1Controllers"] = std::move(v1);
    Json items = Json::array();
    for (const auto& check : checks)
        items.push_back({{"name", check.name},
                         {"status", status_name(check.status)},
                         {"detail", check.detail},
                         {"fix", check.fix}});
    return json_response({{"kernel", kernel_release()},
                          {"cgroup", std::move(cgroup)},
                          {"checks", std::move(items)}});
}

Response health_response() {
    return json_response({{"status", "ok"}});
}

}  // namespace covey::daemon
