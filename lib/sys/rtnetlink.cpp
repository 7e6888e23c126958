#include "sys/rtnetlink.hpp"

#include "sys/last_errno.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace covey::sys {
namespace {

// Everything of netlink is aligned to four bytes.
std::size_t padded(std::size_t size) {
    return (size + 3) & ~std::size_t{3};
}

template <typename T>
void append(std::string& message, const T& body) {
    message.append(reinterpret_cast<const char*>(&body), sizeof body);
    message.resize(padded(message.size()));
}

template <typename T>
T read_as(std::string_view bytes) {
    T value{};
    std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
    return value;
}

void append_attribute(std::string& message, std::uint16_t type, std::string_view value) {
    append(message, rtattr{static_cast<std::uint16_t>(sizeof(rtattr) + value.size()), type});
    message += value;
    message.resize(padded(message.size()));
}

template <typename T>
void append_number(std::string& message, std::uint16_t type, T value) {
    append_attribute(message, type, {reinterpret_cast<const char*>(&value), sizeof value});
}

template <typename T>
std::string begin(std::uint16_t type, std::uint16_t flags, const T& body) {
    std::string message;
    append(message, nlmsghdr{0, type, static_cast<std::uint16_t>(NLM_F_REQUEST | flags), 1, 0});
    append(message, body);
    return message;
}

ifreq request_for(const std::string& name) {
    ifreq request{};
    name.copy(static_cast<char*>(request.ifr_name), IFNAMSIZ - 1);
    return request;
}

/// Which of an address's attributes another device is given: not the label, which holds the name,
/// nor what the kernel counts.
bool is_kept(std::uint16_t type) {
    return type == IFA_ADDRESS || type == IFA_LOCAL || type == IFA_BROADCAST ||
           type == IFA_ANYCAST || type == IFA_RT_PRIORITY;
}

std::optional<NetworkAddress> read_address(std::string_view body, int index) {
    constexpr std::uint32_t kGiven = IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR |
                                     IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;
    if (body.size() < sizeof(ifaddrmsg)) return std::nullopt;
    const auto header = read_as<ifaddrmsg>(body);
    NetworkAddress address{header.ifa_family, header.ifa_prefixlen, {}};
    std::uint32_t flags = header.ifa_flags;
    body.remove_prefix(padded(sizeof header));
    while (body.size() >= sizeof(rtattr)) {
        const auto attribute = read_as<rtattr>(body);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > body.size()) break;
        const auto value = body.substr(sizeof attribute, attribute.rta_len - sizeof attribute);
        if (attribute.rta_type == IFA_FLAGS) flags = read_as<std::uint32_t>(value);
        if (is_kept(attribute.rta_type))
            append_attribute(address.attributes, attribute.rta_type, value);
        body.remove_prefix(std::min(padded(attribute.rta_len), body.size()));
    }
    if (static_cast<int>(header.ifa_index) != index || header.ifa_scope != RT_SCOPE_UNIVERSE ||
        (flags & IFA_F_PERMANENT) == 0)
        return std::nullopt;
    append_number(address.attributes, IFA_FLAGS, flags & kGiven);
    return address;
}

/// Calls `take` with each message of a datagram: its type and its body. False at NLMSG_DONE.
template <typename Take>
bool each_message(std::string_view datagram, Take&& take) {
    while (datagram.size() >= sizeof(nlmsghdr)) {
        const auto header = read_as<nlmsghdr>(datagram);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) break;
        if (header.nlmsg_type == NLMSG_DONE) return false;
        take(header.nlmsg_type, datagram.substr(sizeof header, header.nlmsg_len - sizeof header));
        datagram.remove_prefix(std::min(padded(header.nlmsg_len), datagram.size()));
    }
    return true;
}

Result<std::string> receive(FdRef socket) {
    constexpr std::size_t kMost = std::size_t{64} * 1024;  // of one datagram of a dump
    std::string buffer(kMost, '\0');
    ssize_t got = -1;
    do
        got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    while (got < 0 && errno == EINTR);
    if (got < 0) return last_errno();
    buffer.resize(static_cast<std::size_t>(got));
    return buffer;
}

}  // namespace

Result<RouteSocket> RouteSocket::open() {
    UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    if (!socket) return last_errno();
    return RouteSocket{std::move(socket)};
}

Result<void> RouteSocket::send(const std::string& message) const {
    auto whole = message;
    const auto size = static_cast<std::uint32_t>(whole.size());
    std::memcpy(whole.data(), &size, sizeof size);  // nlmsg_len is first
    return checked(::send(socket_.get(), whole.data(), whole.size(), 0));
}

/// Until it is acknowledged.
Result<void> RouteSocket::ask(const std::string& message) const {
    if (const auto sent = send(message); !sent) return sent;
    std::optional<int> answer;
    while (!answer) {
        const auto datagram = receive(socket_);
        if (!datagram) return Errno{datagram.error()};
        each_message(datagram.value(), [&](std::uint16_t type, std::string_view body) {
            if (type == NLMSG_ERROR) answer = -read_as<nlmsgerr>(body).error;
        });
    }
    if (*answer != 0) return Errno{*answer};
    return {};
}

Result<int> RouteSocket::index_of(const std::string& name) const {
    auto request = request_for(name);
    if (::ioctl(socket_.get(), SIOCGIFINDEX, &request) < 0) return last_errno();
    return request.ifr_ifindex;
}

Result<std::vector<NetworkAddress>> RouteSocket::addresses_of(int index) const {
    if (const auto sent = send(begin(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{})); !sent)
        return Errno{sent.error()};
    std::vector<NetworkAddress> addresses;
    int failed = 0;
    for (bool more = true; more && failed == 0;) {
        const auto datagram = receive(socket_);
        if (!datagram) return Errno{datagram.error()};
        more = each_message(datagram.value(), [&](std::uint16_t type, std::string_view body) {
            if (type == NLMSG_ERROR) failed = -read_as<nlmsgerr>(body).error;
            if (type != RTM_NEWADDR) return;
            if (auto address = read_address(body, index)) addresses.push_back(std::move(*address));
        });
    }
    if (failed != 0) return Errno{failed};
    return addresses;
}

Result<void> RouteSocket::move(int index, FdRef network_namespace,
                               std::string_view new_name) const {
    ifinfomsg link{};
    link.ifi_index = index;
    auto message = begin(RTM_NEWLINK, NLM_F_ACK, link);
    append_number(message, IFLA_NET_NS_FD, network_namespace.get());
    append_attribute(message, IFLA_IFNAME, std::string{new_name} + '\0');
    return ask(message);
}

Result<void> RouteSocket::add(int index, const NetworkAddress& address) const {
    ifaddrmsg header{};
    header.ifa_family = address.family;
    header.ifa_prefixlen = address.prefix;
    header.ifa_index = static_cast<std::uint32_t>(index);
    return ask(begin(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, header) +
               address.attributes);
}

Result<bool> RouteSocket::is_up(const std::string& name) const {
    auto request = request_for(name);
    if (::ioctl(socket_.get(), SIOCGIFFLAGS, &request) < 0) return last_errno();
    return (request.ifr_flags & IFF_UP) != 0;
}

Result<void> RouteSocket::set_up(const std::string& name) const {
    auto request = request_for(name);
    if (::ioctl(socket_.get(), SIOCGIFFLAGS, &request) < 0) return last_errno();
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    return checked(::ioctl(socket_.get(), SIOCSIFFLAGS, &request));
}

}  // namespace covey::sys
