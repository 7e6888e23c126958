#include "shim/peers.hpp"

#include "base/log.hpp"
#include "core/protocol.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <cerrno>
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
    : loop_(loop), listener_(std::move(listener)), handler_(std::move(handler)) {
    sys::set_nonblocking(listener_, true).or_throw("fcntl", "listening socket");
    loop_.watch(listener_, EPOLLIN, [this] { accept_clients(); });
}

void Peers::accept_clients() {
    auto socket = sys::accept(listener_);
    if (!socket) return;
    // The state folder is 0700 already; this is the second lock.
    const auto peer = sys::peer_credentials(socket.value());
    if (!peer || peer.value().uid != ::geteuid() || clients_.size() >= kMostClients) return;
    const auto id = next_client_++;
    auto& client = clients_[id];
    client.socket = std::move(socket).value();
    loop_.watch(client.socket, EPOLLIN, [this, id] { serve(id); });
}

void Peers::serve(std::uint64_t id) {
    flush(id);
    while (true) {
        const auto found = clients_.find(id);
        if (found == clients_.end()) return;
        auto packet = sys::receive_packet(found->second.socket);
        if (!packet && packet.error() == EAGAIN) return;
        if (!packet || packet.value().data.empty()) return drop(id);
        std::uint64_t number = 0;
        try {
            auto request = core::decode_request(packet.value().data);
            number = request.number;
            handler_({id, number}, std::move(request.body), std::move(packet.value().fds));
        } catch (const Error& error) {
            reply({id, number}, error);
        }
    }
}

bool Peers::reply(ReplyTo to, const core::ReplyBody& body, UniqueFd fd) {
    send(to.client, core::encode(core::Reply{to.number, body}), std::move(fd));
    return clients_.contains(to.client);
}

void Peers::broadcast(const core::Event& event) {
    const auto packet = core::encode(event);
    std::vector<std::uint64_t> ids;
    for (const auto& [id, client] : clients_)
        ids.push_back(id);
    for (const auto id : ids)
        send(id, packet, {});
}

void Peers::send(std::uint64_t id, std::string packet, UniqueFd fd) {
    const auto found = clients_.find(id);
    if (found == clients_.end())
        return;  // the client left: what it asked for was done all the same
    auto& client = found->second;
    client.outbox_bytes += packet.size();
    client.outbox.emplace_back(std::move(packet), std::move(fd));
    if (client.outbox_bytes > kMostUnread) return drop(id);
    flush(id);
}

void Peers::flush(std::uint64_t id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    auto& client = found->second;
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
    loop_.change(client.socket, client.outbox.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void Peers::drop(std::uint64_t id) {
    const auto found = clients_.find(id);
    loop_.forget(found->second.socket);
    clients_.erase(found);
}

}  // namespace covey::shim
