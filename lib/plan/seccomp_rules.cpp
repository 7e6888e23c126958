#include "plan/seccomp_rules.hpp"

#include <algorithm>
#include <array>

#include <linux/net.h>

namespace covey::plan {
namespace {

struct NarrowArguments {
    std::string_view syscall;
    std::string_view indexes;
};

// The parameter types in the kernel's SYSCALL_DEFINE…: int, unsigned int, pid_t, uid_t,
// key_serial_t. Left out on purpose: "unsigned long" that is compared as a whole (unshare's flags,
// mmap's prot, mount's flags, ptrace's request). clone's flags are an unsigned long of which
// kernel_clone takes lower_32_bits(); its s390 order of arguments differs in 0 and 1, and both are
// narrow enough.
constexpr std::array kNarrow{
    NarrowArguments{"accept4", "03"},
    NarrowArguments{"add_key", "4"},
    NarrowArguments{"bind", "02"},
    NarrowArguments{"bpf", "02"},
    NarrowArguments{"clock_adjtime", "0"},
    NarrowArguments{"clock_settime", "0"},
    NarrowArguments{"clone", "0"},
    NarrowArguments{"connect", "02"},
    NarrowArguments{"dup3", "012"},
    NarrowArguments{"eventfd2", "01"},
    NarrowArguments{"fcntl", "01"},
    NarrowArguments{"fcntl64", "01"},
    NarrowArguments{"fsconfig", "014"},
    NarrowArguments{"fsmount", "012"},
    NarrowArguments{"fsopen", "1"},
    NarrowArguments{"futex", "125"},
    NarrowArguments{"getsockopt", "012"},
    NarrowArguments{"io_uring_register", "013"},
    NarrowArguments{"io_uring_setup", "0"},
    NarrowArguments{"ioctl", "01"},
    NarrowArguments{"kcmp", "012"},
    NarrowArguments{"keyctl", "0"},
    NarrowArguments{"kill", "01"},
    NarrowArguments{"listen", "01"},
    NarrowArguments{"madvise", "2"},
    NarrowArguments{"memfd_create", "1"},
    NarrowArguments{"move_mount", "024"},
    NarrowArguments{"open", "1"},
    NarrowArguments{"open_tree", "02"},
    NarrowArguments{"openat", "02"},
    NarrowArguments{"perf_event_open", "123"},
    NarrowArguments{"personality", "0"},
    NarrowArguments{"pidfd_getfd", "012"},
    NarrowArguments{"pidfd_open", "01"},
    NarrowArguments{"pidfd_send_signal", "013"},
    NarrowArguments{"pipe2", "1"},
    NarrowArguments{"prctl", "0"},
    NarrowArguments{"prlimit64", "01"},
    NarrowArguments{"quotactl", "02"},
    NarrowArguments{"reboot", "012"},
    NarrowArguments{"recvfrom", "03"},
    NarrowArguments{"recvmsg", "02"},
    NarrowArguments{"request_key", "3"},
    NarrowArguments{"sched_setscheduler", "01"},
    NarrowArguments{"seccomp", "01"},
    NarrowArguments{"sendmmsg", "023"},
    NarrowArguments{"sendmsg", "02"},
    NarrowArguments{"sendto", "03"},
    NarrowArguments{"setgid", "0"},
    NarrowArguments{"setns", "01"},
    NarrowArguments{"setpriority", "012"},
    NarrowArguments{"setregid", "01"},
    NarrowArguments{"setresgid", "012"},
    NarrowArguments{"setresuid", "012"},
    NarrowArguments{"setreuid", "01"},
    NarrowArguments{"setrlimit", "0"},
    NarrowArguments{"setsockopt", "0124"},
    NarrowArguments{"setuid", "0"},
    NarrowArguments{"shutdown", "01"},
    NarrowArguments{"socket", "012"},
    NarrowArguments{"socketcall", "0"},
    NarrowArguments{"socketpair", "012"},
    NarrowArguments{"syslog", "02"},
    NarrowArguments{"tgkill", "012"},
    NarrowArguments{"timerfd_create", "01"},
    NarrowArguments{"tkill", "01"},
    NarrowArguments{"unlinkat", "02"},
    NarrowArguments{"userfaultfd", "0"},
    NarrowArguments{"waitid", "013"},
};
static_assert(std::is_sorted(kNarrow.begin(), kNarrow.end(),
                             [](const auto& a, const auto& b) { return a.syscall < b.syscall; }));

struct Multiplexed {
    std::string_view name;
    std::uint32_t number;
};

template <std::size_t N>
std::optional<std::uint32_t> number_in(const std::array<Multiplexed, N>& names,
                                       std::string_view name) noexcept {
    for (const auto& known : names)
        if (known.name == name) return known.number;
    return std::nullopt;
}

}  // namespace

bool is_32_bit_argument(std::string_view syscall, unsigned index) noexcept {
    const auto* found =
        std::lower_bound(kNarrow.begin(), kNarrow.end(), syscall,
                         [](const auto& entry, auto name) { return entry.syscall < name; });
    return found != kNarrow.end() && found->syscall == syscall && index < 6 &&
           found->indexes.find(static_cast<char>('0' + index)) != std::string_view::npos;
}

std::optional<std::uint32_t> socketcall_number(std::string_view syscall) noexcept {
    static constexpr std::array<Multiplexed, 20> kNames{{{"socket", SYS_SOCKET},
                                                         {"bind", SYS_BIND},
                                                         {"connect", SYS_CONNECT},
                                                         {"listen", SYS_LISTEN},
                                                         {"accept", SYS_ACCEPT},
                                                         {"getsockname", SYS_GETSOCKNAME},
                                                         {"getpeername", SYS_GETPEERNAME},
                                                         {"socketpair", SYS_SOCKETPAIR},
                                                         {"send", SYS_SEND},
                                                         {"recv", SYS_RECV},
                                                         {"sendto", SYS_SENDTO},
                                                         {"recvfrom", SYS_RECVFROM},
                                                         {"shutdown", SYS_SHUTDOWN},
                                                         {"setsockopt", SYS_SETSOCKOPT},
                                                         {"getsockopt", SYS_GETSOCKOPT},
                                                         {"sendmsg", SYS_SENDMSG},
                                                         {"recvmsg", SYS_RECVMSG},
                                                         {"accept4", SYS_ACCEPT4},
                                                         {"recvmmsg", SYS_RECVMMSG},
                                                         {"sendmmsg", SYS_SENDMMSG}}};
    return number_in(kNames, syscall);
}

std::optional<std::uint32_t> ipc_number(std::string_view syscall) noexcept {
    // linux/ipc.h
    static constexpr std::array<Multiplexed, 12> kNames{{{"semop", 1},
                                                         {"semget", 2},
                                                         {"semctl", 3},
                                                         {"semtimedop", 4},
                                                         {"msgsnd", 11},
                                                         {"msgrcv", 12},
                                                         {"msgget", 13},
                                                         {"msgctl", 14},
                                                         {"shmat", 21},
                                                         {"shmdt", 22},
                                                         {"shmget", 23},
                                                         {"shmctl", 24}}};
    return number_in(kNames, syscall);
}

}  // namespace covey::plan
