#include "cgroup/cgroup.hpp"
#include "covey/error.hpp"
#include "covey/version.hpp"
#include "plan/mount_options.hpp"
#include "runtime/features.hpp"
#include "runtime/state_codec.hpp"
#include "spec/tables.hpp"
#include "sys/file.hpp"
#include "sys/privileges.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace covey::runtime {
namespace {

using Json = nlohmann::ordered_json;

/// The kernel has the type when it shows one's own of it.
Json namespaces() {
    auto names = Json::array();
    for (const auto& one : spec::namespace_table())
        if (sys::stat_at(sys::kCwd, "/proc/self/ns/" + std::string{one.proc_name}))
            names.push_back(one.oci_name);
    return names;
}

Json capabilities() {
    auto names = Json::array();
    for (int number = 0; number <= sys::last_capability(); ++number)
        names.push_back(spec::capability_name(number));
    return names;
}

Json cgroups() {
    Json json{
        {"v1", false}, {"v2", false}, {"systemd", false}, {"systemdUser", false}, {"rdma", false}};
    try {
        const auto host = cgroup::detect();
        json["v1"] = !host.v1.empty();
        json["v2"] = !host.unified.empty();
        json["rdma"] = host.v1.contains("rdma") ||
                       std::find(host.unified_controllers.begin(), host.unified_controllers.end(),
                                 "rdma") != host.unified_controllers.end();
    } catch (const Error&) {
        // No hierarchy at all: nothing of it can be asked for.
    }
    return json;
}

Json seccomp() {
    return {
        {"enabled", sys::stat_at(sys::kCwd, "/proc/sys/kernel/seccomp").has_value()},
        {"actions",
         {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
          "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"}},
        {"operators",
         {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
          "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"}},
        {"archs", {"SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"}},
    };
}

}  // namespace

std::string describe_features() {
    const auto options = plan::mount_option_names();
    const bool idmap = std::find(options.begin(), options.end(), "idmap") != options.end();
    const Json json{
        {"ociVersionMin", "1.0.0"},
        {"ociVersionMax", kOciVersion},
        {"hooks",
         {"prestart", "createRuntime", "createContainer", "startContainer", "poststart",
          "poststop"}},
        {"mountOptions", options},
        {"linux",
         {{"namespaces", namespaces()},
          {"capabilities", capabilities()},
          {"cgroup", cgroups()},
          {"seccomp", seccomp()},
          {"apparmor", {{"enabled", false}}},
          {"selinux", {{"enabled", false}}},
          {"intelRdt", {{"enabled", false}}},
          {"mountExtensions", {{"idmap", {{"enabled", idmap}}}}}}},
        {"annotations",
         {{"org.opencontainers.runc.checkpoint.enabled", "false"},
          {"dev.covey.version", COVEY_VERSION}}},
        {"potentiallyUnsafeConfigAnnotations", Json::array()},
    };
    constexpr int kIndent = 4;
    return json.dump(kIndent);
}

}  // namespace covey::runtime
