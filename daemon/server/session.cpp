#include "server/session.hpp"

#include "base/log.hpp"
#include "server/response_text.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace covey::daemon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::seconds;
using Local = asio::local::stream_protocol;

constexpr seconds kHeadLimit{5}, kBodyLimit{30}, kIdleLimit{60}, kSendLimit{30}, kLingerLimit{2};
constexpr std::uint32_t kMostHeadBytes = 16U << 10U;
constexpr std::size_t kMostBodyBytes = std::size_t{1} << 20U;
constexpr std::size_t kReadBytes = std::size_t{16} << 10U;
/// A head at its limit and one read more; also what a chunk's extensions may have.
constexpr std::size_t kMostBuffered = kMostHeadBytes + kReadBytes;

std::string next_request_id() {
    static const auto start = static_cast<std::uint32_t>(
        std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds{1});
    static std::uint64_t number = 0;
    return fmt::format("{:08x}-{:06}", start, ++number);
}

Error malformed(const error_code& error) {
    return Error(Code::invalid_argument, "malformed HTTP request: " + error.message())
        .with_fix("speak HTTP/1.1, as curl --unix-socket does");
}

Error body_too_large() {
    return Error(Code::too_large, fmt::format("the body has more than {} bytes", kMostBodyBytes))
        .with_fix("send at most 1 MiB");
}

Error head_too_large() {
    return Error(Code::too_large,
                 fmt::format("the request's head has more than {} bytes", kMostHeadBytes))
        .with_fix("shorten the target and the headers; long values belong into the body");
}

class Session final : public Exchange, public std::enable_shared_from_this<Session> {
  public:
    Session(asio::io_context& io, UniqueFd connection, Peer peer, Handler& handler)
        : socket_(io), timer_(io), peer_(peer), handler_(handler) {
        error_code error;
        socket_.assign(Local{}, connection.get(), error);
        if (error) throw Error::from_errno(error.value(), "epoll_ctl", "a client's connection");
        (void)connection.release();
    }

    /// Request after request. Takes part in its own ownership.
    static asio::awaitable<void> run(std::shared_ptr<Session> self);

    [[nodiscard]] const Request& request() const override { return request_; }
    asio::awaitable<std::string> body() override;
    asio::awaitable<std::size_t> read_some(std::span<char> into) override;
    asio::awaitable<void> respond(Response response) override;
    asio::awaitable<void> begin(StreamHead head) override;
    asio::awaitable<void> write(std::string_view data) override;
    asio::awaitable<void> end(Headers trailers) override;
    [[nodiscard]] bool begun() const override { return begun_; }
    asio::awaitable<void> hangup() override;

  private:
    asio::awaitable<bool> serve_one(bool first);
    asio::awaitable<bool> read_head(bool first);
    asio::awaitable<void> answer_failure(const Error& error);
    asio::awaitable<bool> fill();
    asio::awaitable<void> fill_or_throw();
    [[noreturn]] void throw_unfinished() const;
    void take_head();
    asio::awaitable<void> send_continue();
    template <typename Buffers>
    asio::awaitable<void> send(Buffers buffers);
    asio::awaitable<void> linger();
    void log_request(std::chrono::steady_clock::time_point start) const;

    void arm(seconds limit);
    void disarm();

    Local::socket socket_;
    asio::steady_timer timer_;
    std::uint64_t armed_ = 0;
    bool late_ = false;
    beast::flat_buffer buffer_{kMostBuffered};
    std::optional<http::request_parser<http::buffer_body>> parser_;
    Peer peer_;
    Handler& handler_;
    Request request_;
    unsigned status_ = 0;
    bool begun_ = false, keep_ = false, expects_continue_ = false;
};

// ---- deadlines

void Session::arm(seconds limit) {
    late_ = false;
    timer_.expires_after(limit);
    timer_.async_wait([weak = weak_from_this(), turn = ++armed_](const error_code& error) {
        const auto self = weak.lock();
        if (error || !self || self->armed_ != turn) return;
        self->late_ = true;
        self->socket_.cancel();
    });
}

void Session::disarm() {
    ++armed_;
    timer_.cancel();
}

// ---- reading

/// More bytes into the buffer. False at the end of the stream, and when the time is over.
asio::awaitable<bool> Session::fill() {
    const std::size_t room = std::min(kReadBytes, buffer_.max_size() - buffer_.size());
    if (room == 0) throw head_too_large();
    error_code error;
    const std::size_t got = co_await socket_.async_read_some(
        buffer_.prepare(room), asio::redirect_error(asio::use_awaitable, error));
    buffer_.commit(got);
    co_return !error;
}

asio::awaitable<void> Session::fill_or_throw() {
    const bool more = co_await fill();
    if (!more) throw_unfinished();
}

/// The request does not come to its end.
void Session::throw_unfinished() const {
    if (!late_) throw ClientGone{};
    const bool in_body = parser_->is_header_done();
    throw Error(Code::timeout,
                fmt::format("the request's {} did not come within {} s", in_body ? "body" : "head",
                            (in_body ? kBodyLimit : kHeadLimit).count()))
        .with_fix("send the request without pauses");
}

/// False when there is no further request.
asio::awaitable<bool> Session::read_head(bool first) {
    parser_.emplace();
    parser_->header_limit(kMostHeadBytes);
    parser_->body_limit(boost::none);  // counted here: streams have none
    arm(first || buffer_.size() > 0 ? kHeadLimit : kIdleLimit);
    if (buffer_.size() == 0) {
        const bool came = co_await fill();
        if (!came) co_return false;
        if (!first) arm(kHeadLimit);
    }
    for (;;) {
        error_code error;
        buffer_.consume(parser_->put(buffer_.data(), error));
        if (error == http::error::header_limit) throw head_too_large();
        if (error && error != http::error::need_more) throw malformed(error);
        if (parser_->is_header_done()) break;
        co_await fill_or_throw();
    }
    disarm();
    take_head();
    co_return true;
}

void Session::take_head() {
    const auto& head = parser_->get();
    parser_->eager(true);
    request_.method = std::string{head.method_string()};
    request_.target = std::string{head.target()};
    request_.accept = std::string{head[http::field::accept]};
    expects_continue_ = beast::iequals(head[http::field::expect], "100-continue");
}

asio::awaitable<std::size_t> Session::read_some(std::span<char> into) {
    if (parser_->is_done()) co_return 0;
    co_await send_continue();
    auto& body = parser_->get().body();
    body.data = into.data();
    body.size = into.size();
    for (;;) {
        error_code error;
        if (buffer_.size() > 0) buffer_.consume(parser_->put(buffer_.data(), error));
        if (error && error != http::error::need_more && error != http::error::need_buffer)
            throw malformed(error);
        const std::size_t got = into.size() - body.size;
        if (got > 0 || parser_->is_done()) co_return got;
        co_await fill_or_throw();
    }
}

asio::awaitable<std::string> Session::body() {
    const auto length = parser_->content_length();
    if (length && *length > kMostBodyBytes) throw body_too_large();
    arm(kBodyLimit);
    std::string text;
    for (std::size_t size = 0;;) {
        if (size > kMostBodyBytes) throw body_too_large();
        text.resize(size + (length ? static_cast<std::size_t>(*length) - size : kReadBytes) + 1);
        const std::span<char> room = std::span{text}.subspan(size);
        const std::size_t got = co_await read_some(room);
        size += got;
        if (got > 0) continue;
        text.resize(size);
        break;
    }
    disarm();
    co_return text;
}

// ---- writing

template <typename Buffers>
asio::awaitable<void> Session::send(Buffers buffers) {
    error_code error;
    co_await asio::async_write(socket_, buffers, asio::redirect_error(asio::use_awaitable, error));
    if (error) throw ClientGone{};
}

/// Before the first byte of the body is asked for, if the client waits for that.
asio::awaitable<void> Session::send_continue() {
    if (!std::exchange(expects_continue_, false)) co_return;
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await send(asio::buffer(kContinue));
}

asio::awaitable<void> Session::respond(Response response) {
    // What is left of an unread body would be taken for the next request.
    keep_ = parser_->is_header_done() && parser_->keep_alive() && parser_->is_done();
    status_ = response.status;
    const std::string head = response_head(response, keep_ ? After::keep_alive : After::close);
    const bool has_body = request_.method != "HEAD" && response.status != 204;
    const std::array buffers{asio::buffer(head),
                             asio::buffer(has_body ? response.body : std::string_view{})};
    arm(kSendLimit);
    co_await send(buffers);
    disarm();
}

asio::awaitable<void> Session::begin(StreamHead head) {
    if (parser_->get().version() < 11)
        throw Error(Code::invalid_argument, "a stream needs HTTP/1.1, the request is HTTP/1.0")
            .with_fix("speak HTTP/1.1, as curl does without --http1.0");
    co_await send_continue();
    begun_ = true;
    status_ = 200;
    const std::string text = stream_head(head);
    co_await send(asio::buffer(text));
}

asio::awaitable<void> Session::write(std::string_view data) {
    if (data.empty()) co_return;  // an empty chunk would be the end
    const std::string size = fmt::format("{:x}\r\n", data.size());
    constexpr std::string_view kEnd = "\r\n";
    const std::array buffers{asio::buffer(size), asio::buffer(data), asio::buffer(kEnd)};
    co_await send(buffers);
}

asio::awaitable<void> Session::end(Headers trailers) {
    const std::string text = stream_end(trailers);
    arm(kSendLimit);
    co_await send(asio::buffer(text));
    disarm();
}

asio::awaitable<void> Session::hangup() {
    // EPOLLHUP: both directions are shut down, which is what close(2) at the other end does. A
    // client that only ends its sending side is still there.
    error_code error;
    co_await socket_.async_wait(Local::socket::wait_error,
                                asio::redirect_error(asio::use_awaitable, error));
}

// ---- requests

asio::awaitable<void> Session::answer_failure(const Error& error) {
    Response response = handler_.problem(error, request_);
    co_await respond(std::move(response));
}

asio::awaitable<bool> Session::serve_one(bool first) {
    request_ = Request{{}, {}, {}, next_request_id(), peer_};
    begun_ = keep_ = expects_continue_ = false;
    std::optional<Error> failure;
    try {
        const bool came = co_await read_head(first);
        if (!came) co_return false;
    } catch (const Error& error) {
        failure = error;
    }
    const auto start = std::chrono::steady_clock::now();
    if (failure)
        co_await answer_failure(*failure);
    else
        co_await handler_.handle(*this);
    log_request(start);
    co_return keep_ && !failure;
}

// The path alone: a query has an exec's command and environment, which are nobody else's to read.
void Session::log_request(std::chrono::steady_clock::time_point start) const {
    const auto level = request_.method == "GET" ? log::Level::debug : log::Level::info;
    if (level < log::level()) return;
    const auto took =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start);
    log::write(level, "request",
               {{"id", request_.id},
                {"uid", std::to_string(peer_.uid)},
                {"pid", std::to_string(peer_.pid)},
                {"method", request_.method},
                {"path", std::string{loggable_path_of(request_.target).substr(0, 200)}},
                {"status", std::to_string(status_)},
                {"ms", fmt::format("{:.1f}", took.count())}});
}

/// Closing a socket with unread bytes resets it, and the client may lose the answer: so what still
/// comes is thrown away for a moment.
asio::awaitable<void> Session::linger() {
    if (!parser_ || parser_->is_done() || status_ == 0) co_return;
    error_code error;
    socket_.shutdown(Local::socket::shutdown_send, error);
    arm(kLingerLimit);
    for (bool more = !error; more;) {
        buffer_.clear();
        more = co_await fill();
    }
    disarm();
}

asio::awaitable<void> Session::run(std::shared_ptr<Session> self) {
    try {
        bool more = true;
        for (bool first = true; more; first = false)
            more = co_await self->serve_one(first);
        co_await self->linger();
    } catch (const ClientGone&) {
        log::debug("client gone", {{"id", self->request_.id}});
    }
}

}  // namespace

void run_session(asio::io_context& io, UniqueFd connection, Peer peer, Handler& handler,
                 std::function<void()> ended) {
    auto session = std::make_shared<Session>(io, std::move(connection), peer, handler);
    asio::co_spawn(io, Session::run(std::move(session)),
                   [ended = std::move(ended)](const std::exception_ptr& failure) {
                       ended();
                       if (!failure) return;
                       try {
                           std::rethrow_exception(failure);
                       } catch (const std::exception& error) {
                           log::error("session failed", {{"reason", error.what()}});
                       }
                   });
}

std::string closing_answer(const Response& response) {
    return response_head(response, After::close) + response.body;
}

}  // namespace covey::daemon
