// POST /v1/containers/{id}/exec: three coroutines, request body → stdin, stdout → answer and
// stderr → answer, and one that waits for the exit. See proto/stream.md.
#include "api/call.hpp"
#include "api/error_codec.hpp"
#include "api/exec_request.hpp"
#include "api/stream_codec.hpp"
#include "engine/loop_descriptor.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace covey::daemon {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Descriptor = asio::posix::stream_descriptor;

constexpr std::size_t kPieceBytes = std::size_t{32} << 10U;
constexpr std::size_t kMostAfterEnd = std::size_t{2} << 20U;  // twice the largest pipe

/// What the coroutines of one exec share; it outlives them all.
struct Relay {
    Relay(Exchange& answer, StreamForm wanted, ExecSession& process,
          const asio::any_io_executor& executor)
        : exchange(answer),
          form(wanted),
          session(process),
          in(executor),
          out(executor),
          err(executor),
          turn(executor) {
        assign(in, session.take_input());
        assign(out, session.take_output());
        assign(err, session.take_error());
    }
    static void assign(Descriptor& descriptor, UniqueFd fd) {
        if (!fd) return;
        descriptor = loop_descriptor(descriptor.get_executor(), std::move(fd));
        descriptor.non_blocking(true);  // else read_some() polls
    }

    Exchange& exchange;
    StreamForm form;
    ExecSession& session;
    Descriptor in, out, err;
    std::optional<core::ExitRecord> exit;
    asio::steady_timer turn;  // only cancelled: wakes whoever waits for `writing`
    bool writing = false;
};

/// One piece at a time: stdout and stderr share the connection.
asio::awaitable<void> send_piece(Relay& relay, std::string piece) {
    while (relay.writing) {
        error_code woken;
        relay.turn.expires_at(asio::steady_timer::time_point::max());
        co_await relay.turn.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    relay.writing = true;
    co_await relay.exchange.write(piece);
    relay.writing = false;
    relay.turn.cancel();
}

/// Until the other end is closed, or the process has ended and all it wrote is sent: what it left
/// running in the background may hold the pipe open for as long as the container lives.
asio::awaitable<void> pump_output(Relay& relay, Descriptor& source, OutputStream stream) {
    if (!source.is_open()) co_return;
    std::string bytes(kPieceBytes, '\0');
    std::size_t after_end = 0;
    for (;;) {
        error_code error;
        const std::size_t got = source.read_some(asio::buffer(bytes), error);
        if (got > 0) {
            // What a pipe or a terminal held when the process ended, and not what somebody who has
            // its streams writes from then on.
            if (relay.exit && (after_end += got) > kMostAfterEnd) co_return;
            std::string piece = encode_output(relay.form, stream, {bytes.data(), got});
            co_await send_piece(relay, std::move(piece));
        } else if (error == asio::error::would_block) {
            if (relay.exit) co_return;
            co_await source.async_wait(Descriptor::wait_read,
                                       asio::redirect_error(asio::use_awaitable, error));
        } else if (error != asio::error::interrupted) {
            co_return;  // the end; EIO from a terminal whose last user is gone
        }
    }
}

asio::awaitable<void> await_exit(Relay& relay) {
    relay.exit = co_await relay.session.wait();
    // Wakes the pumps for a last look.
    error_code ignored;
    relay.out.cancel(ignored);
    relay.err.cancel(ignored);
}

/// Everything towards the client. An exception is handed back, because it must end the sibling too.
asio::awaitable<std::exception_ptr> relay_output(Relay& relay) {
    try {
        using namespace asio::experimental::awaitable_operators;
        co_await (pump_output(relay, relay.out, OutputStream::out) &&
                  pump_output(relay, relay.err, OutputStream::err) && await_exit(relay));
    } catch (...) {
        co_return std::current_exception();
    }
    co_return nullptr;
}

/// Everything towards the process; returns when the client is gone.
asio::awaitable<void> relay_input(Relay& relay) {
    try {
        std::string bytes(kPieceBytes, '\0');
        error_code error;
        while (relay.in.is_open() && !error) {
            const std::size_t got = co_await relay.exchange.read_some(bytes);
            if (got == 0) break;
            co_await asio::async_write(relay.in, asio::buffer(bytes.data(), got),
                                       asio::redirect_error(asio::use_awaitable, error));
        }
        // The end of stdin. A process that has closed it reads no more, and neither do we.
        if (relay.in.is_open()) relay.in.close(error);
    } catch (const std::exception&) {
        // The body is broken or its sender gone; the second is what hangup() tells.
        error_code error;
        if (relay.in.is_open()) relay.in.close(error);
    }
    co_await relay.exchange.hangup();
}

asio::awaitable<void> finish(Relay& relay, const Call& call, const std::exception_ptr& failure) {
    const Request& request = call.exchange.request();
    if (failure) {
        const std::string piece =
            encode_problem(relay.form, as_error(failure), call.target.path, request.id);
        co_await call.exchange.write(piece);
        std::rethrow_exception(failure);
    }
    const std::string piece = encode_exit(relay.form, *relay.exit);
    co_await call.exchange.write(piece);
    Headers trailers;
    trailers.emplace_back("Covey-Exit-Code", std::to_string(relay.exit->exit_code));
    co_await call.exchange.end(std::move(trailers));
}

}  // namespace

asio::awaitable<void> stream_exec(Call& call) {
    const StreamForm form = stream_form(call.exchange.request().accept);
    ExecAction action = decode_exec(call.id(), call.target.query);
    call.engine.require_ours(call.id());
    const auto session = co_await call.engine.exec(std::move(action));
    const auto executor = co_await asio::this_coro::executor;
    Relay relay{call.exchange, form, *session, executor};
    StreamHead head{std::string{content_type(form)}, {}};
    head.headers.emplace_back("Trailer", "Covey-Exit-Code");
    head.headers.emplace_back("Covey-Exec-Id", session->facts().exec);
    co_await call.exchange.begin(std::move(head));
    auto output = relay_output(relay);
    auto input = relay_input(relay);
    using namespace asio::experimental::awaitable_operators;
    auto outcome = co_await (std::move(output) || std::move(input));
    auto* const failure = std::get_if<0>(&outcome);
    if (failure == nullptr) throw ClientGone{};
    co_await finish(relay, call, *failure);
}

}  // namespace covey::daemon
