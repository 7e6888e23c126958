// Unix sockets that carry whole messages and descriptors (SOCK_SEQPACKET + SCM_RIGHTS).
// Called by core (protocol), launch (hand-shake), shim. Thread rule: any thread. Blocks as the
// descriptor does (O_NONBLOCK → EAGAIN).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::sys {

struct Packet {
    std::string data;
    std::vector<UniqueFd> fds;  // close-on-exec
    /// Who sent it, in the receiver's PID namespace: the kernel says so to a socket of
    /// pass_credentials(), and then 0 is the end of the stream, which an empty packet is not. A
    /// sender with CAP_SYS_ADMIN over its PID namespace may name another process of it.
    pid_t sender = 0;
};

/// The largest packet we send: well below the default net.core.wmem_max (212,992).
inline constexpr std::size_t kLargestPacket = 160U << 10U;
inline constexpr std::size_t kMostPacketFds = 16;

/// Connected pairs, made by a process that has ended when this returns: whoever comes to hold an
/// end may ask the kernel for a pidfd of its maker (SO_PEERPIDFD), and with SYS_PTRACE takes the
/// maker's descriptors by it (pidfd_getfd(2)). A process more for a moment: EAGAIN at a limit of
/// processes. After a setns(2) into another PID namespace it would be born there, with all that the
/// caller has: EXDEV, and a fault of the caller. Not in a program with threads.
Result<SocketPair> seqpacket_pair();
Result<std::array<SocketPair, 2>> two_seqpacket_pairs();
/// Bound below `dir` (through /proc/self/fd, so that the 108 bytes of sun_path never matter).
Result<UniqueFd> seqpacket_listen_at(FdRef dir, std::string_view name);
Result<UniqueFd> seqpacket_connect_at(FdRef dir, std::string_view name);
/// The same two for byte streams (coveyd's API). Connecting does not wait: a full backlog is
/// EAGAIN.
Result<UniqueFd> stream_listen_at(FdRef dir, std::string_view name);
Result<UniqueFd> stream_connect_at(FdRef dir, std::string_view name);
/// Datagrams (sd_notify(3)): a bound socket of everybody's to send to, and one message to a path
/// or, beginning with '@', to an abstract name.
Result<UniqueFd> datagram_bind_at(FdRef dir, std::string_view name);
Result<void> send_datagram_to(std::string_view address, std::string_view data);
/// The kernel gives a pidfd of a socket's peer (SO_PEERPIDFD, Linux 6.5).
[[nodiscard]] bool has_peer_pidfd();
/// accept4 with SOCK_CLOEXEC|SOCK_NONBLOCK.
Result<UniqueFd> accept(FdRef listener);

/// One message, whole or not at all; never SIGPIPE (EPIPE instead).
Result<void> send_packet(FdRef socket, std::string_view data, std::span<const FdRef> fds = {});
/// Whatever comes from now on names its sender (SO_PASSCRED, unix(7)).
Result<void> pass_credentials(FdRef socket);
/// Whoever sends descriptors to it from now on is refused (SO_PASSRIGHTS, Linux 6.16): a reader
/// that has no use for them must close them, and closing takes as long as their maker likes
/// (SO_LINGER, a FUSE). An older kernel knows no such thing (ENOPROTOOPT). Of a listener: its
/// connections too.
Result<void> refuse_descriptors(FdRef socket);
/// One message. An empty `data` with no fds is the end of the stream (or an empty packet: see
/// Packet::sender). A truncated message is EMSGSIZE.
Result<Packet> receive_packet(FdRef socket, std::size_t limit = kLargestPacket);

struct PeerCredentials {
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;
};
/// As of connect(2) (SO_PEERCRED).
Result<PeerCredentials> peer_credentials(FdRef socket);
/// A pidfd of that process (SO_PEERPIDFD, Linux 6.5).
Result<UniqueFd> peer_pidfd(FdRef socket);
/// Supplementary groups, also as of connect(2) (SO_PEERGROUPS, Linux 4.13).
Result<std::vector<gid_t>> peer_groups(FdRef socket);

}  // namespace covey::sys
