#include "server/listener.hpp"

#include "base/log.hpp"
#include "server/peer.hpp"
#include "server/session.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

namespace covey::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kExhaustedPause{100};

/// Any descriptor will do: its only use is to be closed.
UniqueFd make_reserve() {
    return sys::open("/dev/null", O_RDONLY).value_or(UniqueFd{});
}

Error too_many_connections(std::size_t most) {
    return Error(Code::too_many,
                 fmt::format("{} connections are open, the most there may be", most))
        .with_fix("close idle connections, then ask again");
}

}  // namespace

Listener::Listener(asio::io_context& io, ListenerConfig config, Handler& handler)
    : io_(io),
      config_(std::move(config)),
      handler_(handler),
      group_(covey_group()),
      file_(config_.path, group_),
      acceptor_(io, sys::duplicate(file_.listener()).or_throw("listen on", config_.path).release()),
      reserve_(make_reserve()) {
}

void Listener::close() {
    file_.remove();
}

asio::awaitable<void> Listener::run() {
    for (;;) {
        co_await acceptor_.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
        if (accept_all() == Accepted::all) continue;
        // The listener stays readable: without a pause this would spin.
        asio::steady_timer pause{io_, kExhaustedPause};
        co_await pause.async_wait(asio::use_awaitable);
    }
}

Listener::Accepted Listener::accept_all() {
    for (;;) {
        auto connection = sys::accept(file_.listener());
        const int error = connection.error();
        if (connection) {
            admit(std::move(connection).value());
        } else if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS) {
            if (!reserve_) reserve_ = make_reserve();
            if (!reserve_) return Accepted::some;
            shed_one();
        } else if (error != ECONNABORTED) {
            return Accepted::all;  // EAGAIN
        }
    }
}

void Listener::admit(UniqueFd connection) {
    try {
        const Peer peer = peer_of(connection);
        const std::size_t reserved = peer.uid == 0 ? 0 : config_.reserved_for_root;
        auto refusal = connections_ + reserved >= config_.most_connections
                           ? std::optional{too_many_connections(config_.most_connections)}
                           : refuse_stranger(connection, peer, group_);
        if (!refusal) refusal = handler_.refuse(peer);
        if (refusal) return refuse(connection, peer, *refusal);
        begin_session(std::move(connection), peer);
    } catch (const std::exception& error) {
        log::warning("connection dropped", {{"reason", error.what()}});
    }
}

void Listener::begin_session(UniqueFd connection, const Peer& peer) {
    ++connections_;
    try {
        run_session(io_, std::move(connection), peer, handler_, [this] { --connections_; });
    } catch (...) {
        --connections_;
        throw;
    }
}

/// Out of descriptors: the reserve's place takes the connection just long enough to say so.
void Listener::shed_one() {
    reserve_.reset();
    if (auto connection = sys::accept(file_.listener()))
        refuse(connection.value(), {},
               Error(Code::too_many, "coveyd is out of file descriptors")
                   .with_fix("raise coveyd's limit (LimitNOFILE=), or close idle connections"));
    reserve_ = make_reserve();
}

void Listener::refuse(FdRef connection, const Peer& peer, const Error& error) const {
    log::warning("connection refused", {{"uid", std::to_string(peer.uid)},
                                        {"pid", std::to_string(peer.pid)},
                                        {"reason", error.detail()}});
    Request request;
    request.peer = peer;
    const std::string answer = closing_answer(handler_.problem(error, request));
    // Small enough for any socket buffer; a peer that does not take it does not get it.
    [[maybe_unused]] const auto sent =
        ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace covey::daemon
