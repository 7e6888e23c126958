// The seam between server/ and api/: one request and its answer (Exchange, made by the server), and
// who answers it (Handler, made by the API).
// Thread rule: the io_context's one thread. Nothing blocks; waiting suspends the coroutine.
#pragma once

#include "api/http.hpp"
#include "covey/error.hpp"

#include <boost/asio/awaitable.hpp>

#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace covey::daemon {

/// The client is no longer there. Not an error: nobody can be told.
struct ClientGone : std::exception {
    [[nodiscard]] const char* what() const noexcept override { return "the client is gone"; }
};

/// Either respond(), or begin(), write() and end(). Reading and writing may go on at the same time,
/// each from one coroutine. Every member may throw ClientGone.
class Exchange {
  public:
    virtual ~Exchange() = default;
    [[nodiscard]] virtual const Request& request() const = 0;

    /// The whole body. Throws too_large above 1 MiB, timeout after 30 s.
    virtual boost::asio::awaitable<std::string> body() = 0;
    /// Some bytes of the body; 0 at its end. No time limit.
    virtual boost::asio::awaitable<std::size_t> read_some(std::span<char> into) = 0;

    virtual boost::asio::awaitable<void> respond(Response response) = 0;

    /// Status 200, chunked; the head is sent at once.
    virtual boost::asio::awaitable<void> begin(StreamHead head) = 0;
    /// Returns when the kernel has taken the bytes: a client that does not read suspends the
    /// writer.
    virtual boost::asio::awaitable<void> write(std::string_view data) = 0;
    virtual boost::asio::awaitable<void> end(Headers trailers) = 0;
    /// begin() was called: it is too late for a problem document.
    [[nodiscard]] virtual bool begun() const = 0;

    /// Returns when the client has closed its connection (a shutdown of its sending side is none).
    /// May be cancelled.
    virtual boost::asio::awaitable<void> hangup() = 0;
};

class Handler {
  public:
    virtual ~Handler() = default;
    /// Why this peer may not speak to us, or nothing. Asked once for each connection.
    [[nodiscard]] virtual std::optional<Error> refuse(const Peer& peer) const = 0;
    /// Answers, whatever happens; throws only ClientGone.
    virtual boost::asio::awaitable<void> handle(Exchange& exchange) = 0;
    /// The answer for what goes wrong before there is an exchange (bad HTTP, too many connections).
    [[nodiscard]] virtual Response problem(const Error& error, const Request& request) const = 0;
};

}  // namespace covey::daemon
