#include "sys/namespaces.hpp"

#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/last_errno.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

namespace covey::sys {

Result<void> unshare(std::uint64_t flags) {
    if (::unshare(static_cast<int>(flags)) < 0) return last_errno();
    return {};
}

Result<void> set_namespace(FdRef target, std::uint64_t flags) {
    if (::setns(target.get(), static_cast<int>(flags)) < 0) return last_errno();
    return {};
}

Result<UniqueFd> open_namespace(FdRef proc, pid_t pid, std::string_view proc_name) {
    return open_at(proc, std::to_string(pid).append("/ns/").append(proc_name), O_RDONLY);
}

Result<NamespaceId> namespace_id(FdRef name_space) {
    const auto status = stat_fd(name_space);
    if (!status) return Errno{status.error()};
    return NamespaceId{status.value().st_dev, status.value().st_ino};
}

Result<std::uint64_t> namespace_type(FdRef name_space) {
    const int type = ::ioctl(name_space.get(), NS_GET_NSTYPE);
    if (type < 0) return last_errno();
    return static_cast<std::uint64_t>(static_cast<unsigned>(type));
}

Result<UniqueFd> parent_namespace(FdRef name_space) {
    const int parent = ::ioctl(name_space.get(), NS_GET_PARENT);
    if (parent < 0) return last_errno();
    return UniqueFd{parent};
}

Result<pid_t> number_in(FdRef pid_namespace, pid_t pid) {
    const int number = ::ioctl(pid_namespace.get(), NS_GET_TGID_IN_PIDNS, pid);
    if (number < 0) return last_errno();
    return number;
}

Result<UniqueFd> owning_user_namespace(FdRef name_space) {
    const int owner = ::ioctl(name_space.get(), NS_GET_USERNS);
    if (owner < 0) return last_errno();
    return UniqueFd{owner};
}

Result<uid_t> namespace_owner(FdRef user_namespace) {
    uid_t owner = 0;
    if (::ioctl(user_namespace.get(), NS_GET_OWNER_UID, &owner) < 0) return last_errno();
    return owner;
}

bool in_initial_user_namespace() {
    // PROC_USER_INIT_INO of the kernel's <linux/proc_ns.h>: the first one has a fixed number.
    constexpr std::uint64_t kInitialInode = 0xEFFFFFFD;
    const auto own = open_at(kCwd, "/proc/self/ns/user", O_RDONLY);
    if (!own) return false;
    const auto id = namespace_id(own.value());
    return id && id.value().inode == kInitialInode;
}

Result<void> set_hostname(std::string_view name) {
    if (::sethostname(name.data(), name.size()) < 0) return last_errno();
    return {};
}

Result<void> set_domainname(std::string_view name) {
    if (::setdomainname(name.data(), name.size()) < 0) return last_errno();
    return {};
}

Result<void> bring_loopback_up() {
    const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (!socket) return last_errno();
    ifreq request{};
    std::strcpy(static_cast<char*>(request.ifr_name), "lo");  // NOLINT: a literal of 3 bytes
    if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) < 0) return last_errno();
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) < 0) return last_errno();
    return {};
}

}  // namespace covey::sys
