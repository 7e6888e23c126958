#include "api/process_codec.hpp"

#include "api/error_codec.hpp"
#include "spec/tables.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

Json process_json(const core::PodProcess& process) {
    return {{"pid", process.pid},
            {"podPid", process.pod_pid},
            {"containerPid", process.container_pid},
            {"ppid", process.ppid},
            {"container", process.container},
            {"exec", process.exec},
            {"uid", process.uid},
            {"gid", process.gid},
            {"state", std::string(1, process.state)},
            {"zombie", process.state == 'Z'},
            {"orphan", process.orphan},
            {"name", process.name},
            {"rssBytes", process.rss_bytes},
            {"cpuMilliseconds", process.cpu_milliseconds},
            {"startTime", process.start_time},
            {"command", process.command},
            {"capabilities", spec::capability_names_of(process.capabilities)},
            {"addedCapabilities",
             spec::capability_names_of(process.capabilities & ~spec::default_capabilities())},
            {"noNewPrivileges", process.no_new_privileges}};
}

}  // namespace

Response process_response(const std::vector<core::PodProcess>& processes) {
    Json items = Json::array();
    for (const auto& process : processes)
        items.push_back(process_json(process));
    return json_response({{"items", std::move(items)}});
}

Response process_response(const ProcessView& view) {
    Json json = process_json(view.process);
    json["sandbox"] = view.sandbox;
    json["engine"] = view.engine;
    return json_response(json);
}

}  // namespace covey::daemon
