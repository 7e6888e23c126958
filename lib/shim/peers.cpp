#include "shim/peers.hpp"

#include "base/log.hpp"
#include "core/protocol.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <cerrno>
#include <exception>
#include <new>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

namespace covey::shim {
namespace {

// coveyd has one connection; the façade one for each call under way, waits included.
constexpr std::size_t kMostClients = 64;
constexpr std::size_t kMostUnread = 1U << 20U;  // bytes

}  // namespace

Peers::Peers(task::Loop& loop, UniqueFd listener, Handler handler)
    : owner_(loop, "listening socket", {}),
      listener_(std::move(listener)),
      handler_(std::move(handler)) {
    sys::set_nonblocking(listener_, true).or_throw("fcntl", "listening socket");
    watch_ = owner_.watch(listener_, EPOLLIN, [this] { accept_clients(); });
}

void Peers::accept_clients() {
    auto socket = sys::accept(listener_);
    if (!socket) {
        const auto error = socket.error();
        if (error == EAGAIN || error == EINTR || error == ECONNABORTED) return;
        // No descriptors: the one who waits would be told of without end, so the watch rests.
        throw Error::from_errno(error, "accept", "a client");
    }
    // The state folder is 0700 already; this is the second lock.
    const auto peer = sys::peer_credentials(socket.value());
    if (!peer || peer.value().uid != ::geteuid() || clients_.size() >= kMostClients) return;
    const auto id = next_client_++;
    auto client = std::make_shared<Client>(owner_.loop(), std::move(socket).value(),
                                           [this, id](const Error&) { drop(id); });
    client->watch = client->owner.watch(client->socket, EPOLLIN, [this, id] { serve(id); });
    clients_[id] = std::move(client);
}

void Peers::serve(std::uint64_t id) {
    flush(id);
    // A client that asks without end does not keep the others waiting.
    constexpr int kMostInATurn = 16;
    for (int i = 0; i < kMostInATurn; ++i) {
        const auto found = clients_.find(id);
        if (found == clients_.end()) return;
        auto packet = sys::receive_packet(found->second->socket);
        if (!packet && packet.error() == EAGAIN) return;
        if (!packet || packet.value().data.empty()) return drop(id);
        ReplyTo to{id, 0};
        answer(to, [&] {
            auto request = core::decode_request(packet.value().data);
            to.number = request.number;
            answer(to,
                   [&] { handler_(to, std::move(request.body), std::move(packet.value().fds)); });
        });
    }
}

void Peers::answer(ReplyTo to, const task::Callback& serve) noexcept {
    try {
        serve();
    } catch (const Error& error) {
        reply(to, error);
    } catch (const std::bad_alloc&) {
        drop(to.client);
    } catch (const std::exception& error) {
        reply(to, Error(Code::internal, error.what()));
    }
}

bool Peers::reply(ReplyTo to, const core::ReplyBody& body, UniqueFd fd) noexcept {
    try {
        send(to.client, core::encode(core::Reply{to.number, body}), std::move(fd));
    } catch (const std::exception&) {
        drop(to.client);  // it would wait for ever
    }
    return clients_.contains(to.client);
}

void Peers::broadcast(const core::Event& event) noexcept {
    try {
        const auto packet = core::encode(event);
        std::vector<std::uint64_t> ids;
        for (const auto& [id, client] : clients_)
            ids.push_back(id);
        for (const auto id : ids)
            send(id, packet, {});
    } catch (const std::exception&) {
        while (!clients_.empty())
            drop(clients_.begin()->first);
    }
}

void Peers::send(std::uint64_t id, std::string packet, UniqueFd fd) {
    const auto found = clients_.find(id);
    if (found == clients_.end())
        return;  // the client left: what it asked for was done all the same
    auto& client = *found->second;
    client.outbox_bytes += packet.size();
    client.outbox.emplace_back(std::move(packet), std::move(fd));
    if (client.outbox_bytes > kMostUnread) return drop(id);
    flush(id);
}

void Peers::flush(std::uint64_t id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    auto& client = *found->second;
    while (!client.outbox.empty()) {
        const auto& [packet, fd] = client.outbox.front();
        const FdRef attached = fd;
        const auto sent =
            sys::send_packet(client.socket, packet, {&attached, attached.valid() ? 1U : 0U});
        if (!sent && sent.error() == EAGAIN) break;
        if (!sent) return drop(id);
        client.outbox_bytes -= packet.size();
        client.outbox.pop_front();
    }
    client.watch.change(client.outbox.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void Peers::drop(std::uint64_t id) noexcept {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    found->second->watch.end();
    clients_.erase(found);
}

}  // namespace covey::shim
