#include "launch/message.hpp"

#include "launch/message_words.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace covey::launch {
namespace {

void put(std::string& packet, std::string_view field) {
    // A NUL in a field (argv cannot have one, an error text might quote one) must not split it.
    for (const char c : field)
        packet += c == '\0' ? '?' : c;
    packet += '\0';
}

void put_list(std::string& packet, const std::vector<std::string>& items) {
    const std::size_t count = std::min(items.size(), kMostItems);
    put(packet, std::to_string(count));
    for (std::size_t i = 0; i < count; ++i)
        put(packet, std::string_view{items[i]}.substr(0, kLongestItem));
}

void send(FdRef channel, std::string_view packet, std::span<const FdRef> fds = {}) {
    const auto sent = sys::send_packet(channel, packet, fds);
    if (!sent && sent.error() == ETOOMANYREFS)
        throw Error(Code::resource_exhausted,
                    "send hand-shake: too many descriptors of this user are in flight")
            .with_fix(
                "some process of the same host uid sends descriptors that nobody receives "
                "(unix(7), ETOOMANYREFS): end it, or raise its limit NOFILE");
    sent.or_throw("send", "hand-shake");
}

void send(FdRef channel, char kind, std::span<const FdRef> fds = {}) {
    send(channel, std::string_view{&kind, 1}, fds);
}

/// Blocks until the parent says go.
void ask(FdRef channel, char kind, const char* when_gone) {
    send(channel, kind);
    const auto answer = sys::receive_packet(channel).or_throw("receive", "hand-shake");
    if (answer.data != std::string_view{&kGo, 1}) throw Error(Code::internal, when_gone);
}

ChannelPairs connected(SocketPair launcher, SocketPair newborn) {
    for (const auto* end : {&launcher.parent, &newborn.parent}) {
        sys::pass_credentials(*end).or_throw("setsockopt", "hand-shake");
        sys::set_nonblocking(*end, true).or_throw("fcntl", "hand-shake");
    }
    return {{std::move(launcher.parent), std::move(newborn.parent)},
            {std::move(launcher.child), std::move(newborn.child)}};
}

/// A packet of at most about `room` bytes: causes are left out first.
std::string encode_failed(const Error& error, std::size_t room) {
    std::string packet{kFailed};
    put(packet, code_name(error.code()));
    put(packet, std::to_string(error.errno_value()));
    put(packet, std::string_view{error.what()}.substr(0, room));
    put(packet,
        std::string_view{error.fix()}.substr(0, packet.size() < room ? room - packet.size() : 0));
    for (const auto& cause : error.causes())
        if (packet.size() + cause.size() < room) put(packet, cause);
    return packet;
}

}  // namespace

ChannelPairs make_channels() {
    auto [launcher, newborn] = sys::two_seqpacket_pairs().or_throw("socketpair");
    return connected(std::move(launcher), std::move(newborn));
}

void send_prepared(FdRef launchers, const Prepared& prepared) {
    std::string packet{kPrepared};
    put(packet, prepared.terminal ? "1" : "0");
    put(packet, prepared.held_stdin ? "1" : "0");
    put(packet, prepared.terminal_output ? "1" : "0");
    put(packet, prepared.used_proc_context ? "1" : "0");
    put_list(packet, prepared.command);
    put_list(packet, prepared.warnings);
    std::vector<FdRef> fds;
    for (const auto* fd : {&prepared.terminal, &prepared.held_stdin, &prepared.terminal_output})
        if (*fd) fds.push_back(fd->ref());
    send(launchers, packet, fds);
}

void ask_for_hooks(FdRef channel) {
    ask(channel, kHooksDue, "the runtime ended while its hooks ran");
}

void send_agent(FdRef launchers, FdRef agent, std::string_view metadata) {
    std::string packet{kAgent};
    put(packet, metadata);
    send(launchers, packet, std::array{agent});
}

void send_listener(FdRef channel, FdRef listener) {
    send(channel, kListener, std::array{listener});
}

void send_spawner(FdRef launchers, pid_t pid, FdRef control) {
    std::string packet{kSpawner};
    put(packet, std::to_string(pid));
    send(launchers, packet, std::array{control});
}

void ask_for_stillness(FdRef launchers) {
    ask(launchers, kNeighboursDue, "nobody holds the neighbours still");
}

void send_between(FdRef launchers, pid_t pid) {
    std::string packet{kBetween};
    put(packet, std::to_string(pid));
    send(launchers, packet);
}

void send_dropped(FdRef launchers) {
    send(launchers, kDropped);
}

void send_alive(FdRef newborns) {
    send(newborns, kAlive);
}

void send_terminal(FdRef newborns, FdRef master) {
    send(newborns, kTerminal, std::array{master});
}

void send_ready(FdRef newborns) {
    send(newborns, kReady);
}

void send_go(FdRef channel) {
    send(channel, kGo);
}

void send_failed(FdRef channel, const Error& error) noexcept {
    try {
        constexpr std::size_t kRoom = 64U << 10U;
        (void)sys::send_packet(channel, encode_failed(error, kRoom));
    } catch (...) {  // NOLINT(bugprone-empty-catch): see the header
    }
}

void write_failure(FdRef fifo, const Error& error) noexcept {
    try {
        constexpr std::size_t kRoom = PIPE_BUF - 64;  // the code, the errno and the NULs
        (void)sys::write_all(fifo, encode_failed(error, kRoom));
    } catch (...) {  // NOLINT(bugprone-empty-catch): see the header
    }
}

}  // namespace covey::launch
