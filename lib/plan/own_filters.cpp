#include "plan/own_filters.hpp"

#include "plan/seccomp_filter.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

namespace covey::plan {
namespace {

/// One call: which of its arguments must be 1, and which is the signal.
struct Call {
    int number;
    std::array<unsigned, 2> ones;  // the same twice: one argument
    unsigned signal;
};
constexpr std::array<Call, 3> kCalls{
    {{SYS_kill, {0, 0}, 1}, {SYS_tkill, {0, 0}, 1}, {SYS_tgkill, {0, 1}, 2}}};

std::uint64_t word(const sock_filter& one) {
    return std::bit_cast<std::uint64_t>(one);
}

sock_filter load(std::size_t offset) {
    return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
}

constexpr std::size_t kLowHalf = std::endian::native == std::endian::little ? 0 : 4,
                      kHighHalf = 4 - kLowHalf;

/// The low half: the calls take ints, whatever the upper half of the register has.
sock_filter load_argument(unsigned index, std::size_t half = kLowHalf) {
    return load(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t) + half);
}

sock_filter jump_if_equal(std::uint32_t value, std::uint8_t then, std::uint8_t otherwise) {
    return {BPF_JMP | BPF_JEQ | BPF_K, then, otherwise, value};
}

sock_filter give_action(std::uint32_t action) {
    return {BPF_RET | BPF_K, 0, 0, action};
}

/// To the programs' positions, which a filter counts from the next one.
sock_filter jump_to(std::size_t at, std::uint32_t value, std::size_t then, std::size_t otherwise) {
    return jump_if_equal(value, static_cast<std::uint8_t>(then - at - 1),
                         static_cast<std::uint8_t>(otherwise - at - 1));
}

sock_filter keep_bits(std::uint32_t bits) {
    return {BPF_ALU | BPF_AND | BPF_K, 0, 0, bits};
}

// The other ways into the kernel that a process has: the same numbers with a bit (x32), the 32-bit
// architecture's own.
#if defined(__x86_64__)
constexpr std::uint32_t kX32 = 0x40000000U;
constexpr std::uint32_t kCompatArchitecture = AUDIT_ARCH_I386;
constexpr std::uint32_t kCompatPrlimit = 340, kCompatUnshare = 310, kCompatSetns = 346;
#else
constexpr std::uint32_t kX32 = 0;
constexpr std::uint32_t kCompatArchitecture = AUDIT_ARCH_ARM;
constexpr std::uint32_t kCompatPrlimit = 369, kCompatUnshare = 337, kCompatSetns = 375;
#endif
constexpr std::uint32_t kOtherPrlimit = kX32 | std::uint32_t{SYS_prlimit64};
constexpr std::uint32_t kCompatClone = 120, kClone3 = 435;  // i386 and ARM; everywhere

SeccompFilter filter_from(const std::vector<sock_filter>& program, std::uint32_t flags) {
    SeccompFilter filter;
    for (const auto& one : program)
        filter.filter.push_back(word(one));
    filter.flags = flags;
    return filter;
}

}  // namespace

SeccompFilter neighbour_limits_filter() {
    return filter_from(
        {
            load(offsetof(seccomp_data, arch)),                // 0
            jump_if_equal(native_architecture(), 0, 3),        // 1: else to 5
            load(offsetof(seccomp_data, nr)),                  // 2
            jump_if_equal(SYS_prlimit64, 4, 0),                // 3: to 8
            jump_if_equal(kOtherPrlimit, 3, 9),                // 4: to 8, or 14
            jump_if_equal(kCompatArchitecture, 0, 8),          // 5: or to 14
            load(offsetof(seccomp_data, nr)),                  // 6
            jump_if_equal(kCompatPrlimit, 0, 6),               // 7: or to 14
            load_argument(0),                                  // 8: the process
            jump_if_equal(0, 4, 0),                            // 9: itself: to 14
            load_argument(2),                                  // 10: the new limit
            jump_if_equal(0, 0, 3),                            // 11: or to 15
            load_argument(2, kHighHalf),                       // 12
            jump_if_equal(0, 0, 1),                            // 13: or to 15
            give_action(SECCOMP_RET_ALLOW),                    // 14: none, only asked for
            give_action(SECCOMP_RET_ERRNO | unsigned{EPERM}),  // 15
        },
        0);
}

SeccompFilter user_namespaces_filter() {
    constexpr std::size_t kFlags = 14, kAllow = 17, kRefuse = 18, kUnknown = 19;
    return filter_from(
        {
            load(offsetof(seccomp_data, arch)),                // 0
            jump_to(1, native_architecture(), 2, 8),           // 1
            load(offsetof(seccomp_data, nr)),                  // 2
            keep_bits(~kX32),                                  // 3
            jump_to(4, SYS_unshare, kFlags, 5),                // 4
            jump_to(5, SYS_clone, kFlags, 6),                  // 5
            jump_to(6, kClone3, kUnknown, 7),                  // 6
            jump_to(7, SYS_setns, kRefuse, kAllow),            // 7
            jump_to(8, kCompatArchitecture, 9, kAllow),        // 8
            load(offsetof(seccomp_data, nr)),                  // 9
            jump_to(10, kCompatUnshare, kFlags, 11),           // 10
            jump_to(11, kCompatClone, kFlags, 12),             // 11
            jump_to(12, kClone3, kUnknown, 13),                // 12
            jump_to(13, kCompatSetns, kRefuse, kAllow),        // 13
            load_argument(0),                                  // 14: kFlags
            keep_bits(CLONE_NEWUSER),                          // 15
            jump_to(16, 0, kAllow, kRefuse),                   // 16
            give_action(SECCOMP_RET_ALLOW),                    // 17: kAllow
            give_action(SECCOMP_RET_ERRNO | unsigned{EPERM}),  // 18: kRefuse
            // Its flags are in memory, where no filter sees them; libc falls back to clone.
            give_action(SECCOMP_RET_ERRNO | unsigned{ENOSYS}),  // 19: kUnknown
        },
        0);
}

SeccompFilter pid1_filter() {
    std::vector<sock_filter> program{load(offsetof(seccomp_data, arch)),
                                     jump_if_equal(native_architecture(), 1, 0),
                                     give_action(SECCOMP_RET_ALLOW)};
    for (const auto& call : kCalls) {
        // Each a block of ten; another number jumps over it.
        program.push_back(load(offsetof(seccomp_data, nr)));
        program.push_back(jump_if_equal(static_cast<std::uint32_t>(call.number), 0, 8));
        program.push_back(load_argument(call.ones[0]));
        program.push_back(jump_if_equal(1, 0, 5));
        program.push_back(load_argument(call.ones[1]));
        program.push_back(jump_if_equal(1, 0, 3));
        program.push_back(load_argument(call.signal));
        program.push_back(jump_if_equal(0, 1, 0));  // 0 sends nothing: the kernel may answer
        program.push_back(give_action(SECCOMP_RET_USER_NOTIF));
        program.push_back(give_action(SECCOMP_RET_ALLOW));
    }
    program.push_back(give_action(SECCOMP_RET_ALLOW));
    return filter_from(program, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

std::optional<Pid1Call> pid1_call(const seccomp_data& call) {
    for (const auto& known : kCalls)
        if (known.number == call.nr) return Pid1Call{static_cast<int>(call.args[known.signal])};
    return std::nullopt;
}

}  // namespace covey::plan
