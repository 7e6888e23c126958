#include "base/json.hpp"
#include "engine/event_log.hpp"

namespace covey::daemon {

using Json = nlohmann::json;

std::string encode_event(const EventRecord& event) {
    Json json{{"time", event.time}, {"type", event.type}, {"sandbox", event.sandbox}};
    if (!event.container.empty()) json["container"] = event.container;
    if (!event.exec.empty()) json["exec"] = event.exec;
    if (!event.engine.empty()) json["engine"] = event.engine;
    if (!event.root.empty()) json["root"] = event.root;
    if (event.pid != 0) json["pid"] = event.pid;
    if (event.pod_pid != 0) json["podPid"] = event.pod_pid;
    if (event.exit)
        json["exit"] = {{"exitCode", event.exit->exit_code},
                        {"signal", event.exit->signal},
                        {"oomKilled", event.exit->oom_killed},
                        {"exitedAt", event.exit->exited_at},
                        {"reason", event.exit->reason},
                        {"sentBy", core::sender_name(event.exit->sent_by)}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

EventRecord decode_event(std::uint64_t seq, std::string_view text) {
    const Json json = Json::parse(text);
    EventRecord event;
    event.seq = seq;
    event.time = json.value("time", std::int64_t{0});
    event.type = json.value("type", "");
    event.sandbox = json.value("sandbox", "");
    event.container = json.value("container", "");
    event.exec = json.value("exec", "");
    event.engine = json.value("engine", "");
    event.root = json.value("root", "");
    event.pid = json.value("pid", pid_t{0});
    event.pod_pid = json.value("podPid", pid_t{0});
    if (const auto exit = json.find("exit"); exit != json.end())
        event.exit = core::ExitRecord{
            exit->value("exitCode", 0),      exit->value("signal", 0),
            exit->value("oomKilled", false), exit->value("exitedAt", std::int64_t{0}),
            exit->value("reason", ""),       core::exit_sender(exit->value("sentBy", ""))};
    return event;
}

}  // namespace covey::daemon
