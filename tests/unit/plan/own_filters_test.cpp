#include "plan/own_filters.hpp"

#include "bpf_machine.hpp"
#include "catch.hpp"
#include "plan/seccomp_filter.hpp"

#include <cerrno>
#include <csignal>

#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

using namespace covey::plan;

namespace {

std::uint32_t verdict(int number, std::array<std::uint64_t, 6> arguments,
                      std::uint32_t architecture = native_architecture()) {
    return test::run_filter(pid1_filter().filter, {architecture, number, arguments});
}

constexpr std::uint32_t kRefused = SECCOMP_RET_ERRNO | unsigned{EPERM};

std::uint32_t verdict_of_limits(int number, std::array<std::uint64_t, 6> arguments,
                                std::uint32_t architecture = native_architecture()) {
    return test::run_filter(neighbour_limits_filter().filter, {architecture, number, arguments});
}

std::uint32_t verdict_of_namespaces(int number, std::uint64_t first,
                                    std::uint32_t architecture = native_architecture()) {
    return test::run_filter(user_namespaces_filter().filter, {architecture, number, {first}});
}

}  // namespace

TEST_CASE("signals to number 1 ask, whatever the upper half of a register has") {
    constexpr std::uint64_t kUpper = std::uint64_t{0xdead} << 32U;
    CHECK(verdict(SYS_kill, {1, 1}) == SECCOMP_RET_USER_NOTIF);
    CHECK(verdict(SYS_kill, {kUpper | 1U, 15}) == SECCOMP_RET_USER_NOTIF);
    CHECK(verdict(SYS_tkill, {1, 10}) == SECCOMP_RET_USER_NOTIF);
    CHECK(verdict(SYS_tgkill, {1, 1, 10}) == SECCOMP_RET_USER_NOTIF);
}

TEST_CASE("everything else is the kernel's") {
    CHECK(verdict(SYS_kill, {1, 0}) == SECCOMP_RET_ALLOW);
    CHECK(verdict(SYS_kill, {2, 9}) == SECCOMP_RET_ALLOW);
    CHECK(verdict(SYS_kill, {~std::uint64_t{0}, 9}) == SECCOMP_RET_ALLOW);
    CHECK(verdict(SYS_tgkill, {1, 2, 9}) == SECCOMP_RET_ALLOW);
    CHECK(verdict(SYS_tgkill, {2, 1, 9}) == SECCOMP_RET_ALLOW);
    CHECK(verdict(SYS_read, {1, 1, 1}) == SECCOMP_RET_ALLOW);
    CHECK(verdict(SYS_kill, {1, 1}, 0x40000003) == SECCOMP_RET_ALLOW);
}

TEST_CASE("the signal of a call is found where the call has it") {
    seccomp_data call{};
    call.args[0] = call.args[1] = 1;
    call.args[2] = 15;
    call.nr = SYS_tgkill;
    CHECK(pid1_call(call)->signal == 15);
    call.nr = SYS_kill;
    CHECK(pid1_call(call)->signal == 1);
    call.nr = SYS_read;
    CHECK_FALSE(pid1_call(call));
}

TEST_CASE("a limit of another process is not set, whichever way the kernel is entered") {
    constexpr std::uint64_t kLow = 0x7ffe1000U, kHigh = std::uint64_t{0x7ffe} << 32U;
    for (const std::uint64_t limit : {kLow, kHigh}) {
        CHECK(verdict_of_limits(SYS_prlimit64, {2, 0, limit}) == kRefused);
        CHECK(verdict_of_limits(SYS_prlimit64, {0, 0, limit}) == SECCOMP_RET_ALLOW);
    }
    CHECK(verdict_of_limits(SYS_prlimit64, {2, 0, 0, kLow}) == SECCOMP_RET_ALLOW);
    CHECK(verdict_of_limits(SYS_kill, {2, 9, kLow}) == SECCOMP_RET_ALLOW);
#if defined(__x86_64__)
    CHECK(verdict_of_limits(0x40000000 | 302, {2, 0, kLow}) == kRefused);
    CHECK(verdict_of_limits(340, {2, 0, kLow}, AUDIT_ARCH_I386) == kRefused);
    CHECK(verdict_of_limits(302, {2, 0, kLow}, AUDIT_ARCH_I386) == SECCOMP_RET_ALLOW);
    CHECK(verdict_of_limits(340, {2, 0, kLow}) == SECCOMP_RET_ALLOW);
#endif
}

TEST_CASE("no user namespace is made or entered, whichever way the kernel is entered") {
    constexpr std::uint64_t kUpper = std::uint64_t{0xdead} << 32U;
    constexpr std::uint64_t kUser = CLONE_NEWUSER;
    constexpr std::uint32_t kNoSuchCall = SECCOMP_RET_ERRNO | unsigned{ENOSYS};
    for (const int call : {SYS_unshare, SYS_clone}) {
        CHECK(verdict_of_namespaces(call, kUser) == kRefused);
        CHECK(verdict_of_namespaces(call, kUser | kUpper | CLONE_NEWNS | SIGCHLD) == kRefused);
        CHECK(verdict_of_namespaces(call, CLONE_NEWNS | CLONE_VM | SIGCHLD) == SECCOMP_RET_ALLOW);
    }
    CHECK(verdict_of_namespaces(SYS_setns, 3) == kRefused);
    CHECK(verdict_of_namespaces(SYS_clone3, 0) == kNoSuchCall);
    CHECK(verdict_of_namespaces(SYS_read, kUser) == SECCOMP_RET_ALLOW);
#if defined(__x86_64__)
    constexpr int kX32 = 0x40000000;
    CHECK(verdict_of_namespaces(kX32 | SYS_unshare, kUser) == kRefused);
    CHECK(verdict_of_namespaces(kX32 | SYS_clone, kUser) == kRefused);
    CHECK(verdict_of_namespaces(kX32 | SYS_setns, 3) == kRefused);
    CHECK(verdict_of_namespaces(kX32 | SYS_clone3, 0) == kNoSuchCall);
    CHECK(verdict_of_namespaces(310, kUser, AUDIT_ARCH_I386) == kRefused);
    CHECK(verdict_of_namespaces(310, CLONE_NEWNS, AUDIT_ARCH_I386) == SECCOMP_RET_ALLOW);
    CHECK(verdict_of_namespaces(120, kUser, AUDIT_ARCH_I386) == kRefused);
    CHECK(verdict_of_namespaces(346, 3, AUDIT_ARCH_I386) == kRefused);
    CHECK(verdict_of_namespaces(435, 0, AUDIT_ARCH_I386) == kNoSuchCall);
    CHECK(verdict_of_namespaces(SYS_unshare, kUser, AUDIT_ARCH_I386) == SECCOMP_RET_ALLOW);
#endif
}
