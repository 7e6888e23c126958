#include "core/client.hpp"

#include "core/protocol.hpp"
#include "sys/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <poll.h>

namespace covey::core {
namespace {

Error shim_ended() {
    return Error(Code::sandbox_gone, "the sandbox's covey-shim has ended")
        .with_fix("remove the sandbox and create it again");
}

/// False when the time is over.
bool wait_readable(FdRef fd, Clock::time_point until) {
    pollfd entry{fd.get(), POLLIN, 0};
    while (true) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        const auto bounded = std::clamp<std::int64_t>(left, 0, INT_MAX);
        const int ready = ::poll(&entry, 1, static_cast<int>(bounded));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) throw Error::from_errno(errno, "wait for covey-shim");
        if (ready == 0 && left <= INT_MAX) return false;
    }
}

}  // namespace

void ShimClient::send(RequestBody request, std::span<const FdRef> fds) {
    const auto packet = encode(Request{++number_, std::move(request)});
    if (packet.size() > sys::kLargestPacket)
        throw Error(Code::too_large, "the request has " + std::to_string(packet.size()) +
                                         " bytes, a packet to covey-shim at most " +
                                         std::to_string(sys::kLargestPacket))
            .with_fix("shorten the arguments or the environment");
    const auto sent = sys::send_packet(connection_, packet, fds);
    if (!sent && (sent.error() == EPIPE || sent.error() == ECONNRESET)) throw shim_ended();
    sent.or_throw("send to", "covey-shim");
}

std::optional<ShimMessage> ShimClient::receive(Clock::time_point until) {
    if (!wait_readable(connection_, until)) return {};
    auto packet = sys::receive_packet(connection_);
    if (!packet && packet.error() == ECONNRESET) throw shim_ended();
    const auto message = std::move(packet).or_throw("receive from", "covey-shim");
    if (message.data.empty()) throw shim_ended();
    return decode_shim_message(message.data);
}

ReplyBody ShimClient::next_reply(Clock::time_point until) {
    while (true) {
        auto message = receive(until);
        if (!message)
            throw Error(Code::timeout, "covey-shim has not answered in time")
                .with_fix("try again; if it stays so, remove the sandbox");
        if (auto* event = std::get_if<Event>(&*message)) {
            events_.push_back(std::move(*event));
            continue;
        }
        auto& reply = std::get<Reply>(*message);
        if (reply.number != number_) continue;  // of a request that was given up
        if (const auto* error = std::get_if<Error>(&reply.body)) throw Error(*error);
        return std::move(reply.body);
    }
}

ReplyBody ShimClient::call(RequestBody request, std::chrono::milliseconds limit,
                           std::span<const FdRef> fds) {
    const auto until = Clock::now() + limit;
    send(std::move(request), fds);
    return next_reply(until);
}

std::vector<StatusItem> ShimClient::status(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    send(Status{}, {});
    std::vector<StatusItem> items;
    while (true) {
        auto body = next_reply(until);
        if (std::holds_alternative<Done>(body)) return items;
        if (auto* item = std::get_if<StatusItem>(&body)) items.push_back(std::move(*item));
    }
}

std::optional<Event> ShimClient::next_event(Clock::time_point until) {
    while (events_.empty()) {
        auto message = receive(until);
        if (!message) return {};
        if (auto* event = std::get_if<Event>(&*message)) events_.push_back(std::move(*event));
    }
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
}

}  // namespace covey::core
