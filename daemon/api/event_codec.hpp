// Events → lines of GET /v1/events (proto/stream.md). Thread rule: pure functions. Do not block.
#pragma once

#include "api/action.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace covey::daemon {

inline constexpr std::array<std::string_view, 16> kEventTypes{
    "sandbox.created",   "sandbox.ready",     "sandbox.stopped",  "sandbox.deleted",
    "container.created", "container.started", "container.paused", "container.resumed",
    "container.exited",  "container.deleted", "exec.started",     "exec.exited",
    "engine.created",    "engine.started",    "engine.exited",    "engine.deleted"};

// Each ends with a newline.
[[nodiscard]] std::string event_line(const EventRecord& event);
[[nodiscard]] std::string stream_opened_line(std::uint64_t seq);
[[nodiscard]] std::string heartbeat_line(std::uint64_t seq);
[[nodiscard]] std::string stream_closed_line(const Error& error, std::string_view instance,
                                             std::string_view request_id);

}  // namespace covey::daemon
