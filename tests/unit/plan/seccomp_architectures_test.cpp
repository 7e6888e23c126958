// Which calls of which architecture a filter lets through.
#include "catch.hpp"
#include "unit/plan/seccomp_lab.hpp"

#include <linux/audit.h>

using namespace covey::plan;
using namespace covey::plan::test;

#if defined(__x86_64__)
TEST_CASE("architectures that are not named are killed") {
    const Filter filter(
        R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]})");
    CHECK(filter.on(SCMP_ARCH_X86, "read") == SECCOMP_RET_KILL_PROCESS);
    CHECK(filter.raw(AUDIT_ARCH_AARCH64, 63) == SECCOMP_RET_KILL_PROCESS);
    CHECK(filter.raw(AUDIT_ARCH_X86_64, 0x40000000) == SECCOMP_RET_KILL_PROCESS);  // x32's read
    const Filter three(
        R"({"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],
        "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]})");
    CHECK(three("read") == SECCOMP_RET_ALLOW);
    CHECK(three.on(SCMP_ARCH_X86, "read") == SECCOMP_RET_ALLOW);
    CHECK(three.on(SCMP_ARCH_X86, "write") == kEnosys);  // 4, beyond read's 3
    CHECK(three.on(SCMP_ARCH_X86, "fork") == kEperm);    // 2
    CHECK(three.raw(AUDIT_ARCH_X86_64, 0x40000000) == SECCOMP_RET_ALLOW);
    CHECK(problem_of(R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_S390X"]})") ==
          "/linux/seccomp/architectures/0");
}

TEST_CASE("socketcall is no second door on 32-bit x86") {
    constexpr int kSocketcall = 102, kSocket = 359;
    const Filter deny(
        R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"syscalls":[
        {"names":["socket"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":38,"op":"SCMP_CMP_EQ"}]}]})");
    CHECK(deny.raw(SCMP_ARCH_X86, kSocket, {38}) == kEperm);
    CHECK(deny.raw(SCMP_ARCH_X86, kSocket, {2}) == SECCOMP_RET_ALLOW);
    CHECK(deny.raw(SCMP_ARCH_X86, kSocketcall, {1}) == kEperm);             // socket
    CHECK(deny.raw(SCMP_ARCH_X86, kSocketcall, {3}) == SECCOMP_RET_ALLOW);  // connect
    CHECK(deny("socket", {2}) == SECCOMP_RET_ALLOW);

    // The denial's action is the default one: it must count all the same.
    const Filter allow(
        R"({"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],"syscalls":[
        {"names":["connect"],"action":"SCMP_ACT_ALLOW"},
        {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]},
        {"names":["socket"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":38,"op":"SCMP_CMP_EQ"}]}]})");
    CHECK(allow.raw(SCMP_ARCH_X86, kSocket, {2}) == SECCOMP_RET_ALLOW);
    CHECK(allow.raw(SCMP_ARCH_X86, kSocket, {38}) == kEperm);
    CHECK(allow.raw(SCMP_ARCH_X86, kSocketcall, {1}) == kEperm);
    CHECK(allow.raw(SCMP_ARCH_X86, kSocketcall, {3}) == SECCOMP_RET_ALLOW);
    CHECK(allow("socket", {2}) == SECCOMP_RET_ALLOW);
    CHECK(allow("socket", {38 | kHigh}) == kEperm);

    // What has no arguments in its rule goes through both doors; ipc's too.
    const Filter plain(
        R"({"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],"syscalls":[
        {"names":["socket","semop","shmget"],"action":"SCMP_ACT_ALLOW"}]})");
    CHECK(plain.raw(SCMP_ARCH_X86, kSocket) == SECCOMP_RET_ALLOW);
    CHECK(plain.raw(SCMP_ARCH_X86, kSocketcall, {1}) == SECCOMP_RET_ALLOW);
    CHECK(plain.raw(SCMP_ARCH_X86, kSocketcall, {2}) == kEperm);
    CHECK(plain.raw(SCMP_ARCH_X86, 117, {1}) == SECCOMP_RET_ALLOW);
    CHECK(plain.raw(SCMP_ARCH_X86, 117, {0x10001}) == SECCOMP_RET_ALLOW);
    CHECK(plain.raw(SCMP_ARCH_X86, 117, {4}) == kEperm);
    CHECK(plain.raw(SCMP_ARCH_X86, 395) == SECCOMP_RET_ALLOW);  // shmget's own number
}
#endif
