#include "ctl/client.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "covey/version.hpp"
#include "sys/file.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

namespace covey::ctl {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;

constexpr std::size_t kReadSize = std::size_t{64} * 1024;
constexpr std::size_t kLongestSocketPath = 107;  // sun_path of unix(7), without the ending zero

Error unreachable(const std::string& path, int error) {
    Error problem =
        Error::from_errno(error, "cannot reach coveyd at " + path).with_code(Code::unavailable);
    problem.set_fix(
        error == EACCES || error == EPERM
            ? "run this as root, or as a member of the group that owns the socket"
            : "start it: sudo coveyd   (or name its socket: covey -H PATH, COVEY_SOCKET)");
    return problem;
}

Error broken_off(std::string_view what) {
    return Error(Code::unavailable, fmt::format("coveyd ended the connection {}", what))
        .with_fix("see whether it still runs: covey version");
}

/// A path that fits into an address: a longer one by way of its folder, which `folder` keeps open.
std::string short_name(const std::string& path, UniqueFd& folder) {
    if (path.empty())
        throw Error(Code::invalid_argument, "the socket's path is empty")
            .with_fix("covey -H /run/covey/covey.sock");
    if (path.size() <= kLongestSocketPath) return path;
    const std::size_t slash = path.rfind('/');
    auto opened = sys::open_dir(slash == path.npos ? "." : path.substr(0, slash + 1));
    if (!opened) throw unreachable(path, opened.error());
    folder = std::move(opened).value();
    const std::string name =
        sys::fd_path(folder) + "/" + path.substr(slash == path.npos ? 0 : slash + 1);
    if (name.size() > kLongestSocketPath) throw unreachable(path, ENAMETOOLONG);
    return name;
}

/// The head, and the body if it is all there.
std::string head_of(const Request& request) {
    http::request<http::string_body> message{http::string_to_verb(request.method), request.target,
                                             11};
    message.set(http::field::host, "covey");
    message.set(http::field::user_agent, "covey/" COVEY_VERSION);
    if (!request.accept.empty()) message.set(http::field::accept, request.accept);
    if (!request.body.empty()) message.set(http::field::content_type, "application/json");
    message.body() = request.body;
    if (request.streams_input) {
        message.chunked(true);
        message.set(http::field::te, "trailers");
    } else {
        message.prepare_payload();
    }
    std::ostringstream text;
    if (request.streams_input)
        text << message.base();
    else
        text << message;
    return text.str();
}

}  // namespace

struct Exchange::State {
    asio::io_context io;
    Local::socket socket{io};
    boost::beast::flat_buffer incoming;
    http::response_parser<http::string_body> parser;
    std::string outgoing;
    bool peer_reads = true;  // false once a write failed: its answer may still come

    void send_some();
    void read_some();
    void parse();
};

Exchange::Exchange(const std::string& socket_path, const Request& request)
    : state_(std::make_unique<State>()) {
    UniqueFd folder;
    const std::string name = short_name(socket_path, folder);
    boost::system::error_code failure;
    state_->socket.open(Local{}, failure);
    // Asio's sockets are not close-on-exec at birth; nothing here execs, and none shall leak if it
    // does.
    if (!failure) ::fcntl(state_->socket.native_handle(), F_SETFD, FD_CLOEXEC);
    if (!failure) state_->socket.connect(Local::endpoint{name}, failure);
    if (!failure) state_->socket.non_blocking(true, failure);
    if (failure) throw unreachable(socket_path, failure.value());

    state_->parser.body_limit(boost::none);
    state_->parser.eager(true);
    state_->outgoing = head_of(request);
}

Exchange::Exchange(Exchange&&) noexcept = default;
Exchange& Exchange::operator=(Exchange&&) noexcept = default;
Exchange::~Exchange() = default;

FdRef Exchange::fd() const {
    return FdRef{state_->socket.native_handle()};
}

bool Exchange::wants_to_send() const {
    return state_->peer_reads && !state_->outgoing.empty();
}

void Exchange::send_chunk(std::string_view data) {
    if (!data.empty()) state_->outgoing += fmt::format("{:x}\r\n{}\r\n", data.size(), data);
}

void Exchange::end_chunks() {
    state_->outgoing += "0\r\n\r\n";
}

void Exchange::advance() {
    state_->send_some();
    state_->read_some();
}

void Exchange::State::send_some() {
    while (peer_reads && !outgoing.empty()) {
        boost::system::error_code failure;
        const std::size_t sent = socket.write_some(asio::buffer(outgoing), failure);
        if (failure == asio::error::would_block) return;
        if (failure) peer_reads = false;
        outgoing.erase(0, sent);
    }
}

void Exchange::State::read_some() {
    while (!parser.is_done()) {
        boost::system::error_code failure;
        const std::size_t got = socket.read_some(incoming.prepare(kReadSize), failure);
        if (failure == asio::error::would_block) return;
        if (failure == asio::error::eof) {
            boost::system::error_code ending;
            if (parser.got_some()) parser.put_eof(ending);
            if (!parser.got_some() || ending)
                throw broken_off(parser.is_header_done() ? "in the middle of its answer"
                                                         : "without an answer");
            return;
        }
        if (failure) throw broken_off("(" + errno_text(failure.value()) + ")");
        incoming.commit(got);
        parse();
    }
}

void Exchange::State::parse() {
    while (incoming.size() > 0 && !parser.is_done()) {
        boost::system::error_code failure;
        incoming.consume(parser.put(incoming.data(), failure));
        if (failure == http::error::need_more) return;
        if (failure)
            throw Error(Code::internal, "coveyd's answer is not HTTP: " + failure.message())
                .with_fix("see whether the socket is coveyd's");
    }
}

bool Exchange::has_header() const {
    return state_->parser.is_header_done();
}

bool Exchange::finished() const {
    return state_->parser.is_done();
}

int Exchange::status() const {
    return static_cast<int>(state_->parser.get().result_int());
}

std::string Exchange::field(std::string_view name) const {
    return std::string{state_->parser.get()[boost::beast::string_view{name.data(), name.size()}]};
}

std::string Exchange::take_body() {
    return std::exchange(state_->parser.get().body(), {});
}

Answer call(const std::string& socket_path, const Request& request) {
    Exchange exchange(socket_path, request);
    for (exchange.advance(); !exchange.finished(); exchange.advance()) {
        const int events = POLLIN | (exchange.wants_to_send() ? POLLOUT : 0);
        pollfd waiting{exchange.fd().get(), static_cast<short>(events), 0};
        if (::poll(&waiting, 1, -1) < 0 && errno != EINTR)
            throw Error::from_errno(errno, "wait for coveyd's answer");
    }
    return {exchange.status(), exchange.field("Content-Type"), exchange.take_body()};
}

std::string url_encode(std::string_view text) {
    constexpr std::string_view kUnreserved =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    std::string encoded;
    for (const char c : text) {
        if (kUnreserved.find(c) != kUnreserved.npos)
            encoded += c;
        else
            encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return encoded;
}

}  // namespace covey::ctl
