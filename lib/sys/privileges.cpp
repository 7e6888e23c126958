#include "sys/privileges.hpp"

#include "sys/last_errno.hpp"

#include <cerrno>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace covey::sys {
namespace {

constexpr std::uint64_t bit(int number) {
    return std::uint64_t{1} << static_cast<unsigned>(number);
}

}  // namespace

int last_capability() {
    static const int last = [] {
        int number = CAP_LAST_CAP;  // of the headers; the kernel may know more or fewer
        while (number >= 0 && ::prctl(PR_CAPBSET_READ, number) < 0)
            --number;
        while (number < 62 && ::prctl(PR_CAPBSET_READ, number + 1) >= 0)
            ++number;
        return number;
    }();
    return last;
}

Result<CapabilityMasks> get_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    if (::syscall(SYS_capget, &header, data) < 0) return last_errno();
    const auto whole = [](std::uint32_t low, std::uint32_t high) {
        return low | (std::uint64_t{high} << 32U);
    };
    return CapabilityMasks{whole(data[0].effective, data[1].effective),
                           whole(data[0].permitted, data[1].permitted),
                           whole(data[0].inheritable, data[1].inheritable)};
}

Result<void> set_capabilities(const CapabilityMasks& masks) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    const auto split = [&](std::uint64_t mask, std::uint32_t __user_cap_data_struct::*field) {
        data[0].*field = static_cast<std::uint32_t>(mask);
        data[1].*field = static_cast<std::uint32_t>(mask >> 32U);
    };
    split(masks.effective, &__user_cap_data_struct::effective);
    split(masks.permitted, &__user_cap_data_struct::permitted);
    split(masks.inheritable, &__user_cap_data_struct::inheritable);
    return checked(::syscall(SYS_capset, &header, data));
}

Result<std::uint64_t> get_bounding_set() {
    std::uint64_t mask = 0;
    for (int number = 0; number <= last_capability(); ++number)
        if (::prctl(PR_CAPBSET_READ, number) == 1) mask |= bit(number);
    return mask;
}

Result<void> limit_bounding_set(std::uint64_t keep) {
    for (int number = 0; number <= last_capability(); ++number)
        if ((keep & bit(number)) == 0 && ::prctl(PR_CAPBSET_DROP, number) < 0) return last_errno();
    return {};
}

Result<void> clear_ambient_set() {
    return checked(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}

Result<void> raise_ambient(std::uint64_t mask) {
    for (int number = 0; number <= last_capability(); ++number)
        if ((mask & bit(number)) != 0 &&
            ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0)
            return last_errno();
    return {};
}

Result<void> set_groups(std::span<const gid_t> groups) {
    return checked(::syscall(SYS_setgroups, groups.size(), groups.data()));
}

Result<void> set_gid(gid_t gid) {
    return checked(::syscall(SYS_setresgid, gid, gid, gid));
}
Result<void> set_uid(uid_t uid) {
    return checked(::syscall(SYS_setresuid, uid, uid, uid));
}
Result<void> keep_capabilities_over_set_uid() {
    return checked(::prctl(PR_SET_KEEPCAPS, 1));
}
Result<void> set_no_new_privs() {
    return checked(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

Result<void> set_limit(int resource, std::uint64_t soft, std::uint64_t hard) {
    const rlimit limit{soft, hard};
    return checked(::syscall(SYS_prlimit64, 0, resource, &limit, nullptr));
}

Result<std::pair<std::uint64_t, std::uint64_t>> get_limit(int resource) {
    rlimit limit{};
    if (::syscall(SYS_prlimit64, 0, resource, nullptr, &limit) < 0) return last_errno();
    return std::pair<std::uint64_t, std::uint64_t>{limit.rlim_cur, limit.rlim_max};
}

bool has_seccomp_action(std::uint32_t action) {
    return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

bool has_seccomp_flag(std::uint32_t flag) {
    // seccomp(2): EINVAL for a flag that is not known, and only then is the filter looked at.
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, nullptr) < 0 && errno == EFAULT;
}

Result<UniqueFd> load_seccomp(std::span<const std::uint64_t> filter, std::uint32_t flags) {
    static_assert(sizeof(sock_filter) == sizeof(std::uint64_t));
    sock_fprog program{};
    program.len = static_cast<unsigned short>(filter.size());
    // The kernel only reads it; struct sock_fprog has no const.
    program.filter = reinterpret_cast<sock_filter*>(const_cast<std::uint64_t*>(filter.data()));
    const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (result < 0) return last_errno();
    const bool listens = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
    return UniqueFd{listens ? static_cast<int>(result) : -1};
}

}  // namespace covey::sys
