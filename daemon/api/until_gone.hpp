// Waiting for something on behalf of a client that may go away: then nobody needs it any more, and
// it is cancelled. Used by routes that wait long. Thread rule: the io_context's one thread.
#pragma once

#include "api/exchange.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <exception>
#include <optional>
#include <utility>
#include <variant>

namespace covey::daemon {

template <typename T>
struct Caught {
    std::optional<T> value;
    std::exception_ptr error;
};

/// asio's `||` waits for a success: a failure has to look like one.
template <typename T>
boost::asio::awaitable<Caught<T>> catching(boost::asio::awaitable<T> operation) {
    Caught<T> caught;
    try {
        caught.value.emplace(co_await std::move(operation));
    } catch (...) {
        caught.error = std::current_exception();
    }
    co_return caught;
}

/// The operation's result or exception; ClientGone when the client is gone first. `operation` must
/// be cancellable.
template <typename T>
boost::asio::awaitable<T> until_gone(Exchange& exchange, boost::asio::awaitable<T> operation) {
    using namespace boost::asio::experimental::awaitable_operators;
    auto wanted = catching(std::move(operation));
    auto gone = exchange.hangup();
    auto outcome = co_await (std::move(wanted) || std::move(gone));
    auto* const caught = std::get_if<0>(&outcome);
    if (caught == nullptr) throw ClientGone{};
    if (caught->error) std::rethrow_exception(caught->error);
    co_return std::move(*caught->value);
}

}  // namespace covey::daemon
