// One request after routing: what each route gets. Thread rule: the io_context's one thread.
#pragma once

#include "api/exchange.hpp"
#include "api/metrics.hpp"
#include "api/router.hpp"
#include "api/target.hpp"
#include "engine/engine.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace covey::daemon {

struct Call {
    Engine& engine;
    Exchange& exchange;
    const RequestCounters& requests;
    Target target;
    Match match;

    /// The path's {id}.
    [[nodiscard]] const std::string& id() const { return match.parameters.find("id")->second; }
};

// What answers an operation. Throws covey::Error, ClientGone.
boost::asio::awaitable<Response> answer_sandbox_call(Call& call);    // sandbox_routes.cpp
boost::asio::awaitable<Response> answer_container_call(Call& call);  // container_routes.cpp
boost::asio::awaitable<Response> answer_process_call(Call& call);    // process_routes.cpp
[[nodiscard]] Response answer_daemon_call(const Call& call);         // daemon_routes.cpp
// Streams send their own answer.
boost::asio::awaitable<void> stream_exec(Call& call);    // exec_stream.cpp
boost::asio::awaitable<void> stream_events(Call& call);  // event_stream.cpp

}  // namespace covey::daemon
