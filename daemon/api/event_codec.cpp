#include "api/event_codec.hpp"

#include "api/container_codec.hpp"
#include "api/error_codec.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

namespace covey::daemon {

using Json = nlohmann::ordered_json;

std::string event_line(const EventRecord& event) {
    Json json{{"seq", event.seq}, {"time", rfc3339(event.time)}, {"type", event.type}};
    // An engine need not have a pod around its container.
    if (event.engine.empty() || !event.sandbox.empty()) json["sandbox"] = event.sandbox;
    if (!event.engine.empty()) json["engine"] = event.engine;
    if (!event.root.empty()) json["root"] = event.root;
    if (!event.container.empty()) json["container"] = event.container;
    if (!event.exec.empty()) json["exec"] = event.exec;
    if (event.pid != 0) json["pid"] = event.pid;
    if (event.pod_pid != 0) json["podPid"] = event.pod_pid;
    if (event.exit) json["exit"] = exit_json(*event.exit);
    return to_text(json) + "\n";
}

std::string stream_opened_line(std::uint64_t seq) {
    return fmt::format("{{\"type\":\"stream.opened\",\"seq\":{}}}\n", seq);
}

std::string heartbeat_line(std::uint64_t seq) {
    return fmt::format("{{\"type\":\"heartbeat\",\"seq\":{}}}\n", seq);
}

std::string stream_closed_line(const Error& error, std::string_view instance,
                               std::string_view request_id) {
    const Json json{{"type", "stream.closed"},
                    {"problem", problem_json(error, instance, request_id)}};
    return to_text(json) + "\n";
}

}  // namespace covey::daemon
