#include "plan/seccomp_rules.hpp"

#include "plan/seccomp_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <linux/net.h>

namespace covey::plan {
namespace {

constexpr std::uint64_t kLow = 0xffff'ffff;
/// A profile is at most 4096 instructions, so this many alternatives are a mistake.
constexpr std::size_t kMostAlternatives = 1024;

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

scmp_compare operation(const spec::SeccompArg& arg, const std::string& pointer) {
    struct Name {
        std::string_view name;
        scmp_compare value;
    };
    static constexpr std::array<Name, 7> kNames{{{"SCMP_CMP_NE", SCMP_CMP_NE},
                                                 {"SCMP_CMP_LT", SCMP_CMP_LT},
                                                 {"SCMP_CMP_LE", SCMP_CMP_LE},
                                                 {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                                 {"SCMP_CMP_GE", SCMP_CMP_GE},
                                                 {"SCMP_CMP_GT", SCMP_CMP_GT},
                                                 {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}}};
    for (const auto& known : kNames)
        if (known.name == arg.op) return known.value;
    throw SeccompProblem(pointer + "/op", fmt::format("unknown comparison '{}'", arg.op));
}

/// The argument is one of these masked values.
using Choices = std::vector<scmp_arg_cmp>;

scmp_arg_cmp masked(unsigned index, std::uint64_t mask, std::uint64_t value) {
    return {index, SCMP_CMP_MASKED_EQ, mask, value & mask};
}

/// All 32-bit numbers above (or below) `value`: those that agree with it above bit i and have there
/// a 1 for its 0 (or a 0 for its 1). libseccomp has no masked form of these comparisons.
void beside(unsigned index, std::uint64_t value, bool above, Choices& choices) {
    for (unsigned bit = 32; bit-- > 0;) {
        const std::uint64_t one = std::uint64_t{1} << bit;
        if (((value & one) == 0) != above) continue;
        const std::uint64_t mask = kLow & ~(one - 1);
        choices.push_back(masked(index, mask, value ^ one));
    }
}

Choices narrow(const spec::SeccompArg& arg, scmp_compare op) {
    const auto value = arg.value;
    Choices choices;
    if (op == SCMP_CMP_MASKED_EQ) return {masked(arg.index, value & kLow, arg.value_two)};
    if (op == SCMP_CMP_EQ || op == SCMP_CMP_LE || op == SCMP_CMP_GE)
        choices.push_back(masked(arg.index, kLow, value));
    // Unequal is "differs in one bit at least".
    if (op == SCMP_CMP_NE)
        for (unsigned bit = 0; bit < 32; ++bit)
            choices.push_back(masked(arg.index, std::uint64_t{1} << bit, ~value));
    if (op == SCMP_CMP_GT || op == SCMP_CMP_GE) beside(arg.index, value, true, choices);
    if (op == SCMP_CMP_LT || op == SCMP_CMP_LE) beside(arg.index, value, false, choices);
    return choices;
}

Choices choices_for(const spec::SeccompArg& arg, std::string_view syscall,
                    const std::string& pointer) {
    if (arg.index > 5)
        throw SeccompProblem(pointer + "/index", "a system call has arguments 0 to 5");
    const auto op = operation(arg, pointer);
    // A value that does not fit (or a mask on the high half) is about something else: as written.
    const auto compared = op == SCMP_CMP_MASKED_EQ ? arg.value_two : arg.value;
    if (is_32_bit_argument(syscall, arg.index) && compared <= kLow) return narrow(arg, op);
    return {{arg.index, op, arg.value, arg.value_two}};
}

}  // namespace

bool is_32_bit_argument(std::string_view syscall, unsigned index) noexcept {
    const auto* found =
        std::lower_bound(kNarrow.begin(), kNarrow.end(), syscall,
                         [](const auto& entry, auto name) { return entry.syscall < name; });
    return found != kNarrow.end() && found->syscall == syscall && index < 6 &&
           found->indexes.find(static_cast<char>('0' + index)) != std::string_view::npos;
}

std::vector<Conjunction> alternatives(const spec::SeccompSyscall& rule, std::string_view syscall,
                                      const std::string& pointer) {
    std::array<unsigned, 6> uses{};
    std::vector<Choices> arguments;
    for (std::size_t i = 0; i < rule.args.size(); ++i) {
        arguments.push_back(
            choices_for(rule.args[i], syscall, fmt::format("{}/args/{}", pointer, i)));
        ++uses.at(rule.args[i].index);
    }
    std::vector<Conjunction> result;
    if (std::any_of(uses.begin(), uses.end(), [](unsigned count) { return count > 1; })) {
        for (const auto& choices : arguments)
            for (const auto& choice : choices)
                result.push_back({choice});
        return result;
    }
    result.emplace_back();
    for (const auto& choices : arguments) {
        std::vector<Conjunction> longer;
        for (const auto& so_far : result)
            for (const auto& choice : choices) {
                longer.push_back(so_far);
                longer.back().push_back(choice);
            }
        if (longer.size() > kMostAlternatives)
            throw SeccompProblem(pointer + "/args", "too many unequal comparisons in one rule");
        result = std::move(longer);
    }
    return result;
}

unsigned socketcall_number(std::string_view syscall) noexcept {
    struct Name {
        std::string_view name;
        unsigned number;
    };
    static constexpr std::array<Name, 20> kNames{{{"socket", SYS_SOCKET},
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
    for (const auto& known : kNames)
        if (known.name == syscall) return known.number;
    return 0;
}

}  // namespace covey::plan
