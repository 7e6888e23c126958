// One connection: HTTP/1.1 with keep-alive, limits and deadlines, request after request. The head
// of a request may have 16 KiB and take 5 s, a body 1 MiB and 30 s, an idle connection lasts 60 s;
// streams have no deadline. Called by the listener only; session.cpp is the one file with Beast.
// Thread rule: the io_context's one thread. Nothing blocks; waiting suspends the coroutine.
#pragma once

#include "api/exchange.hpp"
#include "base/unique_fd.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <string>

namespace covey::daemon {

/// Serves the connection until it ends, then calls `ended`. `handler` outlives it.
void run_session(boost::asio::io_context& io, UniqueFd connection, Peer peer, Handler& handler,
                 std::function<void()> ended);

/// A whole answer in bytes, which says that the connection is closed after it.
[[nodiscard]] std::string closing_answer(const Response& response);

}  // namespace covey::daemon
