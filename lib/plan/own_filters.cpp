#include "plan/own_filters.hpp"

#include "plan/seccomp_filter.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>

#include <linux/audit.h>
#include <linux/filter.h>
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

// prlimit64 by the other ways into the kernel that a process has.
#if defined(__x86_64__)
constexpr std::uint32_t kOtherNumber = 0x40000000U | 302U;  // x32
constexpr std::uint32_t kCompatArchitecture = AUDIT_ARCH_I386, kCompatNumber = 340;
#else
constexpr std::uint32_t kOtherNumber = SYS_prlimit64;
constexpr std::uint32_t kCompatArchitecture = AUDIT_ARCH_ARM, kCompatNumber = 369;
#endif

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
            jump_if_equal(kOtherNumber, 3, 9),                 // 4: to 8, or 14
            jump_if_equal(kCompatArchitecture, 0, 8),          // 5: or to 14
            load(offsetof(seccomp_data, nr)),                  // 6
            jump_if_equal(kCompatNumber, 0, 6),                // 7: or to 14
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
