#include "base/json.hpp"
#include "core/codec.hpp"
#include "core/protocol.hpp"

namespace covey::core {

Json to_json(const SandboxFacts& facts) {
    Json namespaces = Json::object();
    for (const auto& [type, entry] : facts.namespaces)
        namespaces[type] =
            Json{{"path", text_json(entry.path)}, {"device", entry.device}, {"inode", entry.inode}};
    Json json{{"id", text_json(facts.id)},
              {"state", state_name(facts.state)},
              {"pausePid", facts.pause_pid},
              {"pauseStartTime", facts.pause_start_time},
              {"shimPid", facts.shim_pid},
              {"shimStartTime", facts.shim_start_time},
              {"namespaces", std::move(namespaces)},
              {"cgroup", text_json(facts.cgroup)},
              {"createdAt", facts.created_at},
              {"stoppedAt", facts.stopped_at},
              {"warnings", texts_json(facts.warnings)}};
    if (!facts.uid_mappings.empty()) json["uidMappings"] = id_mappings_json(facts.uid_mappings);
    if (!facts.gid_mappings.empty()) json["gidMappings"] = id_mappings_json(facts.gid_mappings);
    if (facts.exit) json["exit"] = to_json(*facts.exit);
    if (facts.record_stale) json["recordStale"] = true;
    return json;
}

SandboxFacts read_sandbox_facts(Fields fields) {
    SandboxFacts facts;
    facts.id = fields.text("id");
    const auto state = sandbox_state(fields.text("state"));
    if (!state) fields.refuse("state", "creating, ready, stopping or stopped");
    facts.state = *state;
    facts.pause_pid = fields.number<pid_t>("pausePid");
    facts.pause_start_time = fields.number<std::uint64_t>("pauseStartTime");
    facts.shim_pid = fields.number<pid_t>("shimPid");
    facts.shim_start_time = fields.number<std::uint64_t>("shimStartTime");
    const Json& namespaces = fields.required("namespaces");
    if (!namespaces.is_object()) fields.refuse("namespaces", "an object");
    for (const auto& [type, value] : namespaces.items()) {
        Fields entry{value, fields.path_of("namespaces") + "." + type};
        facts.namespaces.emplace(
            type, NamespaceFacts{entry.text("path"), entry.number<std::uint64_t>("device"),
                                 entry.number<std::uint64_t>("inode")});
    }
    facts.uid_mappings = fields.id_mappings("uidMappings");
    facts.gid_mappings = fields.id_mappings("gidMappings");
    facts.cgroup = fields.text("cgroup");
    facts.created_at = fields.number<std::int64_t>("createdAt");
    facts.stopped_at = fields.number<std::int64_t>("stoppedAt");
    facts.warnings = fields.texts("warnings");
    if (fields.find("exit") != nullptr) facts.exit = read_exit_record(fields.object("exit"));
    if (fields.find("recordStale") != nullptr) facts.record_stale = fields.flag("recordStale");
    return facts;
}

Json to_json(const ExitRecord& record) {
    return Json{{"exitCode", record.exit_code},       {"signal", record.signal},
                {"oomKilled", record.oom_killed},     {"exitedAt", record.exited_at},
                {"reason", text_json(record.reason)}, {"sentBy", sender_name(record.sent_by)}};
}

ExitRecord read_exit_record(Fields fields) {
    ExitRecord record{fields.number<int>("exitCode"), fields.number<int>("signal"),
                      fields.flag("oomKilled"), fields.number<std::int64_t>("exitedAt"),
                      fields.text("reason")};
    // Records of an earlier version have none.
    if (fields.find("sentBy") != nullptr) record.sent_by = exit_sender(fields.text("sentBy"));
    return record;
}

// An older coveyd knows no state "paused", and calls one that stands still running.
Json to_json(const ContainerFacts& facts) {
    const bool is_paused = facts.state == ContainerState::paused;
    Json json{{"config", to_json(facts.config)},
              {"state", state_name(is_paused ? ContainerState::running : facts.state)},
              {"pid", facts.pid},
              {"podPid", facts.pod_pid},
              {"startTime", facts.start_time},
              {"cgroup", text_json(facts.cgroup)},
              {"terminal", facts.terminal},
              {"command", texts_json(facts.command)},
              {"warnings", texts_json(facts.warnings)},
              {"createdAt", facts.created_at},
              {"startedAt", facts.started_at}};
    if (is_paused) json["pausedAt"] = facts.paused_at;
    if (facts.exit) json["exit"] = to_json(*facts.exit);
    if (facts.record_stale) json["recordStale"] = true;
    if (facts.exec_capabilities != 0) json["execCapabilities"] = facts.exec_capabilities;
    if (facts.exec_other_user) json["execOtherUser"] = true;
    return json;
}

ContainerFacts read_container_facts(Fields fields) {
    ContainerFacts facts;
    Fields config = fields.object("config");
    facts.config = read_container_config(config);
    const auto state = container_state(fields.text("state"));
    if (!state) fields.refuse("state", "creating, created, running or stopped");
    facts.state = *state;
    facts.pid = fields.number<pid_t>("pid");
    facts.pod_pid = fields.number<pid_t>("podPid");
    facts.start_time = fields.number<std::uint64_t>("startTime");
    facts.cgroup = fields.text("cgroup");
    facts.terminal = fields.flag("terminal");
    facts.command = fields.texts("command");
    facts.warnings = fields.texts("warnings");
    facts.created_at = fields.number<std::int64_t>("createdAt");
    facts.started_at = fields.number<std::int64_t>("startedAt");
    if (fields.find("pausedAt") != nullptr) {
        facts.paused_at = fields.number<std::int64_t>("pausedAt");
        facts.state = ContainerState::paused;
    }
    if (fields.find("exit") != nullptr) facts.exit = read_exit_record(fields.object("exit"));
    if (fields.find("recordStale") != nullptr) facts.record_stale = fields.flag("recordStale");
    if (fields.find("execCapabilities") != nullptr)
        facts.exec_capabilities = fields.number<std::uint64_t>("execCapabilities");
    if (fields.find("execOtherUser") != nullptr)
        facts.exec_other_user = fields.flag("execOtherUser");
    return facts;
}

Json to_json(const ExecFacts& facts) {
    return Json{{"container", text_json(facts.container)},
                {"exec", text_json(facts.exec)},
                {"pid", facts.pid},
                {"podPid", facts.pod_pid},
                {"startTime", facts.start_time},
                {"cgroup", text_json(facts.cgroup)}};
}

ExecFacts read_exec_facts(Fields fields) {
    ExecFacts facts;
    facts.container = fields.text("container");
    facts.exec = fields.text("exec");
    facts.pid = fields.number<pid_t>("pid");
    facts.pod_pid = fields.number<pid_t>("podPid");
    facts.start_time = fields.number<std::uint64_t>("startTime");
    facts.cgroup = fields.text("cgroup");
    return facts;
}

std::string encode_facts(const SandboxFacts& facts) {
    return dump(to_json(facts));
}

std::string encode_facts(const ContainerFacts& facts) {
    return dump(to_json(facts));
}

SandboxFacts decode_sandbox_facts(std::string_view text) {
    const Json json = parse_object(text, "the sandbox's record");
    return read_sandbox_facts(Fields{json, ""});
}

ContainerFacts decode_container_facts(std::string_view text) {
    const Json json = parse_object(text, "the container's record");
    return read_container_facts(Fields{json, ""});
}

}  // namespace covey::core
