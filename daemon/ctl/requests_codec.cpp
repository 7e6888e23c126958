#include "base/json.hpp"
#include "covey/error.hpp"
#include "ctl/requests.hpp"

#include <fmt/format.h>

namespace covey::ctl {
namespace {

// Keys in the order in which they are written here: --curl shows them to people.
using Json = nlohmann::ordered_json;

void add(Json& object, const char* key, const std::string& value) {
    if (!value.empty()) object[key] = value;
}

void add(Json& object, const char* key, const std::map<std::string, std::string>& values) {
    if (!values.empty()) object[key] = values;
}

Json mappings_json(const std::vector<spec::IdMapping>& maps) {
    Json list = Json::array();
    for (const auto& map : maps)
        list.push_back(
            Json{{"containerID", map.container_id}, {"hostID", map.host_id}, {"size", map.size}});
    return list;
}

std::string target(std::string_view collection, std::string_view id, std::string_view action) {
    std::string path = fmt::format("/v1/{}", collection);
    if (!id.empty()) path += "/" + url_encode(id);
    if (!action.empty()) path += fmt::format("/{}", action);
    return path;
}

}  // namespace

Request create_sandbox(const CreateSandboxRequest& wish) {
    Json body = Json::object();
    add(body, "hostname", wish.hostname);
    add(body, "pidMode", wish.pid_mode);
    add(body, "access", wish.access);
    add(body, "pid1Signals", wish.pid1_signals);
    for (const auto& [type, value] : wish.namespaces) {
        if (value.starts_with('/'))
            body["namespaces"][type] = Json{{"path", value}};
        else
            body["namespaces"][type] = value;
    }
    if (!wish.uid_mappings.empty())
        body["namespaces"]["user"] = Json{{"uidMappings", mappings_json(wish.uid_mappings)},
                                          {"gidMappings", mappings_json(wish.gid_mappings)}};
    add(body, "sysctls", wish.sysctls);
    add(body, "cgroupParent", wish.cgroup_parent);
    add(body, "labels", wish.labels);
    return {"PUT", target("sandboxes", wish.id, ""), body.dump(), "", false};
}

Request create_container(const CreateContainerRequest& wish) {
    Json body = {{"sandbox", wish.sandbox}, {"bundle", wish.bundle}};
    add(body, "pidMode", wish.pid_mode);
    add(body, "target", wish.target);
    add(body, "access", wish.access);
    add(body, "pid1Signals", wish.pid1_signals);
    if (!wish.add_capabilities.empty()) body["capabilities"]["add"] = wish.add_capabilities;
    if (!wish.drop_capabilities.empty()) body["capabilities"]["drop"] = wish.drop_capabilities;
    Json stdio = Json::object();
    add(stdio, "stdin", wish.in);
    add(stdio, "stdout", wish.out);
    add(stdio, "stderr", wish.err);
    if (!stdio.empty()) body["stdio"] = stdio;
    add(body, "seccomp", wish.seccomp);
    add(body, "labels", wish.labels);
    return {"PUT", target("containers", wish.id, ""), body.dump(), "", false};
}

Request debug(const DebugRequest& wish) {
    Json body = Json::object();
    add(body, "id", wish.id);
    add(body, "target", wish.target);
    add(body, "pidMode", wish.pid_mode);
    add(body, "tools", wish.tools);
    add(body, "profile", wish.profile);
    if (wish.ttl) body["ttl"] = *wish.ttl;
    body["remove"] = wish.remove;
    if (!wish.env.empty()) body["env"] = wish.env;
    add(body, "user", wish.user);
    add(body, "access", wish.access);
    if (!wish.add_capabilities.empty()) body["capabilities"]["add"] = wish.add_capabilities;
    return {"POST", target("sandboxes", wish.sandbox, "debug"), body.dump(), "", false};
}

Request exec(const ExecRequest& wish) {
    std::string query;
    const auto append = [&](std::string_view name, std::string_view value) {
        query += fmt::format("{}{}={}", query.empty() ? '?' : '&', name, url_encode(value));
    };
    for (const auto& word : wish.command)
        append("cmd", word);
    for (const auto& variable : wish.env)
        append("env", variable);
    if (!wish.user.empty()) append("user", wish.user);
    if (!wish.cwd.empty()) append("cwd", wish.cwd);
    for (const auto& capability : wish.capabilities)
        append("cap", capability);
    if (wish.terminal) append("tty", "true");
    if (wish.rows != 0) append("rows", fmt::to_string(wish.rows));
    if (wish.columns != 0) append("columns", fmt::to_string(wish.columns));

    Request request{"POST", target("containers", wish.container, "exec") + query, "", "",
                    wish.streams_input};
    // A terminal is one stream, which needs no framing.
    if (!wish.terminal) request.accept = "application/vnd.docker.multiplexed-stream";
    return request;
}

Request kill(std::string_view container, std::string_view signal, bool all,
             std::optional<std::uint32_t> pid) {
    Json body = {{"signal", std::string{signal}}};
    if (all) body["all"] = true;
    if (pid) body["pid"] = *pid;
    return {"POST", target("containers", container, "kill"), body.dump(), "", false};
}

Request stop_container(std::string_view container, std::optional<double> seconds) {
    Request request{"POST", target("containers", container, "stop"), "", "", false};
    if (seconds) request.body = Json{{"timeout", *seconds}}.dump();
    return request;
}

Request update(const UpdateRequest& wish) {
    Json resources = Json::object();
    const auto add_number = [&](const char* object, const char* key, const auto& value) {
        if (value) resources[object][key] = *value;
    };
    add_number("memory", "limit", wish.memory);
    add_number("memory", "swap", wish.memory_swap);
    add_number("memory", "reservation", wish.memory_reservation);
    add_number("cpu", "shares", wish.cpu_shares);
    add_number("cpu", "quota", wish.cpu_quota);
    add_number("cpu", "period", wish.cpu_period);
    if (!wish.cpus.empty()) resources["cpu"]["cpus"] = wish.cpus;
    if (!wish.mems.empty()) resources["cpu"]["mems"] = wish.mems;
    add_number("pids", "limit", wish.pids);
    add_number("blockIO", "weight", wish.block_io_weight);
    if (!wish.resources.empty()) resources = Json::parse(wish.resources, nullptr, false);
    if (resources.is_discarded())
        throw Error(Code::invalid_argument, "update: the resources are no JSON")
            .with_fix("write OCI's linux.resources, as in {\"pids\": {\"limit\": 100}}");
    return {"POST", target("containers", wish.container, "update"),
            Json{{"resources", resources}}.dump(), "", false};
}

Request resize(std::string_view container, std::uint16_t rows, std::uint16_t columns,
               std::string_view exec) {
    Json body = {{"width", columns}, {"height", rows}};
    if (!exec.empty()) body["exec"] = exec;
    return {"POST", target("containers", container, "resize"), body.dump(), "", false};
}

Request get(std::string_view collection, std::string_view id, std::string_view action) {
    return {"GET", target(collection, id, action), "", "", false};
}

Request post(std::string_view collection, std::string_view id, std::string_view action) {
    return {"POST", target(collection, id, action), "", "", false};
}

Request remove(std::string_view collection, std::string_view id, Force force) {
    return {"DELETE", target(collection, id, "") + (force == Force::yes ? "?force=true" : ""), "",
            "", false};
}

}  // namespace covey::ctl
