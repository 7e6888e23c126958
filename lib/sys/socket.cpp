#include "sys/socket.hpp"

#include "sys/file.hpp"
#include "sys/last_errno.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::sys {
namespace {

Result<sockaddr_un> address_at(FdRef dir, std::string_view name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = fd_path(dir) + "/" + std::string{name};
    if (path.size() >= sizeof address.sun_path) return Errno{ENAMETOOLONG};
    std::copy(path.begin(), path.end(), static_cast<char*>(address.sun_path));
    return address;
}

Result<UniqueFd> new_socket(int type) {
    const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return last_errno();
    return UniqueFd{fd};
}

Result<UniqueFd> listen_at(FdRef dir, std::string_view name, int type) {
    auto socket = new_socket(type);
    if (!socket) return socket;
    const auto address = address_at(dir, name);
    if (!address) return Errno{address.error()};
    const auto* generic = reinterpret_cast<const sockaddr*>(&address.value());
    if (::bind(socket.value().get(), generic, sizeof(sockaddr_un)) < 0) return last_errno();
    if (::listen(socket.value().get(), SOMAXCONN) < 0) return last_errno();
    return socket;
}

Result<UniqueFd> connect_at(FdRef dir, std::string_view name, int type) {
    auto socket = new_socket(type);
    if (!socket) return socket;
    const auto address = address_at(dir, name);
    if (!address) return Errno{address.error()};
    const auto* generic = reinterpret_cast<const sockaddr*>(&address.value());
    if (::connect(socket.value().get(), generic, sizeof(sockaddr_un)) < 0) return last_errno();
    return socket;
}

/// What is shared with the child that makes the sockets.
struct MadePairs {
    std::size_t count = 0;
    std::array<std::array<int, 2>, 2> ends{};
    int error = 0;
    pid_t number = 0;  // as the child sees it
};

int make_pairs(void* shared) {
    auto& made = *static_cast<MadePairs*>(shared);
    made.number = ::getpid();
    for (std::size_t i = 0; i < made.count; ++i)
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, made.ends.at(i).data()) < 0) {
            made.error = errno;
            return 1;
        }
    return 0;
}

/// The child shares memory and descriptors, and this process waits for its end.
Result<std::array<SocketPair, 2>> made_by_nobody(std::size_t count) {
    constexpr std::size_t kStack = std::size_t{64} << 10U;
    alignas(64) std::array<std::byte, kStack> stack;  // NOLINT: written by the child alone
    MadePairs made;
    made.count = count;
    made.ends = {{{-1, -1}, {-1, -1}}};
    const pid_t child = ::clone(&make_pairs, stack.data() + stack.size(),
                                CLONE_VM | CLONE_VFORK | CLONE_FILES, &made);
    if (child < 0) return last_errno();
    while (::waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) {
    }
    std::array<SocketPair, 2> pairs;
    for (std::size_t i = 0; i < pairs.size(); ++i)
        pairs.at(i) = {UniqueFd{made.ends.at(i)[0]}, UniqueFd{made.ends.at(i)[1]}};
    if (made.error != 0) return Errno{made.error};
    // Born in another PID namespace, it was in the sight of that one, with all that the caller has.
    if (made.number != child) return Errno{EXDEV};
    return pairs;
}

std::vector<UniqueFd> take_fds(msghdr& message) {
    std::vector<UniqueFd> fds;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            fds.emplace_back(fd);
        }
    }
    return fds;
}

pid_t sender_of(msghdr& message) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS) continue;
        ucred credentials{};
        std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
        return credentials.pid;
    }
    return 0;
}

}  // namespace

Result<SocketPair> seqpacket_pair() {
    auto made = made_by_nobody(1);
    if (!made) return Errno{made.error()};
    return std::move(made.value()[0]);
}

Result<std::array<SocketPair, 2>> two_seqpacket_pairs() {
    return made_by_nobody(2);
}

Result<UniqueFd> seqpacket_listen_at(FdRef dir, std::string_view name) {
    return listen_at(dir, name, SOCK_SEQPACKET);
}

Result<UniqueFd> seqpacket_connect_at(FdRef dir, std::string_view name) {
    return connect_at(dir, name, SOCK_SEQPACKET);
}

Result<UniqueFd> stream_listen_at(FdRef dir, std::string_view name) {
    return listen_at(dir, name, SOCK_STREAM);
}

Result<UniqueFd> stream_connect_at(FdRef dir, std::string_view name) {
    return connect_at(dir, name, SOCK_STREAM | SOCK_NONBLOCK);
}

Result<UniqueFd> datagram_bind_at(FdRef dir, std::string_view name) {
    auto socket = new_socket(SOCK_DGRAM | SOCK_NONBLOCK);
    if (!socket) return socket;
    const auto address = address_at(dir, name);
    if (!address) return Errno{address.error()};
    const auto* generic = reinterpret_cast<const sockaddr*>(&address.value());
    if (::bind(socket.value().get(), generic, sizeof(sockaddr_un)) < 0) return last_errno();
    constexpr mode_t kEverybody = 0777;
    if (::fchmodat(dir.get(), std::string{name}.c_str(), kEverybody, 0) < 0) return last_errno();
    return socket;
}

Result<void> send_datagram_to(std::string_view address, std::string_view data) {
    const auto socket = new_socket(SOCK_DGRAM);
    if (!socket) return Errno{socket.error()};
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    if (address.empty() || address.size() >= sizeof to.sun_path) return Errno{EINVAL};
    std::copy(address.begin(), address.end(), static_cast<char*>(to.sun_path));
    if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    if (::sendto(socket.value().get(), data.data(), data.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&to), length) < 0)
        return last_errno();
    return {};
}

Result<UniqueFd> accept(FdRef listener) {
    int fd = -1;
    do
        fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return last_errno();
    return UniqueFd{fd};
}

Result<void> send_packet(FdRef socket, std::string_view data, std::span<const FdRef> fds) {
    if (data.size() > kLargestPacket || fds.size() > kMostPacketFds) return Errno{EMSGSIZE};
    iovec part{const_cast<char*>(data.data()), data.size()};  // sendmsg(2) does not write to it
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostPacketFds)> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
        for (std::size_t i = 0; i < fds.size(); ++i) {
            const int fd = fds[i].get();
            std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
        }
    }
    ssize_t sent = 0;
    do
        sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) return last_errno();
    return {};
}

Result<void> pass_credentials(FdRef socket) {
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        return last_errno();
    return {};
}

Result<void> refuse_descriptors(FdRef socket) {
    constexpr int kPassRights = 83;  // SO_PASSRIGHTS; not in this libc's headers
    const int off = 0;
    if (::setsockopt(socket.get(), SOL_SOCKET, kPassRights, &off, sizeof off) < 0)
        return last_errno();
    return {};
}

Result<Packet> receive_packet(FdRef socket, std::size_t limit) {
    // One look at the size first: a reader in a small program shall not hold a large buffer for
    // ever.
    ssize_t size = 0;
    do
        size = ::recv(socket.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);
    while (size < 0 && errno == EINTR);
    if (size < 0) return last_errno();
    Packet packet;
    packet.data.resize(std::min(static_cast<std::size_t>(size), limit));
    iovec part{packet.data.data(), packet.data.size()};
    alignas(cmsghdr)
        std::array<char, CMSG_SPACE(sizeof(int) * kMostPacketFds) + CMSG_SPACE(sizeof(ucred))>
            control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = 0;
    do
        got = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0) return last_errno();
    packet.fds = take_fds(message);  // taken even from a bad message, so that none leaks
    packet.sender = sender_of(message);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Errno{EMSGSIZE};
    packet.data.resize(static_cast<std::size_t>(got));
    return packet;
}

Result<PeerCredentials> peer_credentials(FdRef socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return last_errno();
    return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

Result<std::vector<gid_t>> peer_groups(FdRef socket) {
    // A first call with no room says how much is needed (ERANGE).
    socklen_t bytes = 0;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERGROUPS, nullptr, &bytes) < 0 &&
        errno != ERANGE)
        return last_errno();
    std::vector<gid_t> groups(bytes / sizeof(gid_t));
    if (!groups.empty() &&
        ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) < 0)
        return last_errno();
    return groups;
}

Result<UniqueFd> peer_pidfd(FdRef socket) {
    constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, asm-generic/socket.h
    int fd = -1;
    socklen_t size = sizeof fd;
    if (::getsockopt(socket.get(), SOL_SOCKET, kPeerPidfd, &fd, &size) < 0) return last_errno();
    return UniqueFd{fd};
}

bool has_peer_pidfd() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0)
        return true;  // the stricter assumption
    const UniqueFd own{ends[0]}, other{ends[1]};
    return peer_pidfd(own).has_value();
}

}  // namespace covey::sys
