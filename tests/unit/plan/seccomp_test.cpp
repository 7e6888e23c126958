// What the rules of a profile come to: actions, the default, and the strictest of several.
#include "catch.hpp"
#include "unit/plan/config.hpp"
#include "unit/plan/seccomp_lab.hpp"

#include <algorithm>

using namespace covey::plan;
using namespace covey::plan::test;

TEST_CASE("every action comes out as written") {
    struct Row {
        const char* fields;
        std::uint32_t action;
    };
    const Row rows[] = {
        {R"("action":"SCMP_ACT_ERRNO")", kEperm},
        {R"("action":"SCMP_ACT_ERRNO","errnoRet":38)", kEnosys},
        {R"("action":"SCMP_ACT_KILL")", SECCOMP_RET_KILL_THREAD},
        {R"("action":"SCMP_ACT_KILL_THREAD")", SECCOMP_RET_KILL_THREAD},
        {R"("action":"SCMP_ACT_KILL_PROCESS")", SECCOMP_RET_KILL_PROCESS},
        {R"("action":"SCMP_ACT_TRAP")", SECCOMP_RET_TRAP},
        {R"("action":"SCMP_ACT_TRACE","errnoRet":65535)", SECCOMP_RET_TRACE | 0xffff},
        {R"("action":"SCMP_ACT_LOG")", SECCOMP_RET_LOG},
    };
    for (const auto& row : rows) {
        CAPTURE(row.fields);
        const Filter filter(
            std::string(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getpid"],)") +
            row.fields + "}]}");
        CHECK(filter("getpid") == row.action);
        CHECK(filter("read") == SECCOMP_RET_ALLOW);
    }
    const Filter strict(R"({"defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[
        {"names":["read","close"],"action":"SCMP_ACT_ALLOW"},{"names":["write"],"action":"SCMP_ACT_LOG"}]})");
    CHECK(strict("read") == SECCOMP_RET_ALLOW);
    CHECK(strict("write") == SECCOMP_RET_LOG);
    CHECK(strict("open") == SECCOMP_RET_KILL_PROCESS);
    CHECK(Filter(R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":7})")("read") ==
          SCMP_ACT_ERRNO(7));
}

TEST_CASE("calls newer than the profile answer ENOSYS, older ones the default action") {
    const Filter filter(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
        {"names":["read","openat2"],"action":"SCMP_ACT_ALLOW"}]})");
    const auto native = seccomp_arch_native();
    CHECK(filter("openat2") == SECCOMP_RET_ALLOW);
    CHECK(filter("clone3") == kEperm);  // 435, openat2 is 437
    CHECK(filter.raw(native, 438) == kEnosys);
    CHECK(filter.raw(native, 5000) == kEnosys);
    CHECK(filter.raw(native, -1) == kEnosys);
    const Filter open(
        R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO"}]})");
    CHECK(open.raw(native, 5000) == SECCOMP_RET_ALLOW);
}

TEST_CASE("names that are no system calls are said, once") {
    const Filter filter(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
        {"names":["read","no_such_call","nor_this"],"action":"SCMP_ACT_ALLOW"},
        {"names":["nor_this"],"action":"SCMP_ACT_KILL"}]})");
    CHECK(has_warning(filter.plan(), "without effect: no_such_call, nor_this"));
    CHECK(filter("read") == SECCOMP_RET_ALLOW);
}

TEST_CASE("of several rules that match the strictest counts, in any order") {
    const char* rules[] = {
        R"({"names":["write","close"],"action":"SCMP_ACT_ALLOW"})",
        R"({"names":["write"],"action":"SCMP_ACT_ERRNO","errnoRet":9,"args":[{"index":2,"value":5,"op":"SCMP_CMP_EQ"}]})",
        R"({"names":["write"],"action":"SCMP_ACT_KILL_PROCESS","args":[{"index":1,"value":7,"op":"SCMP_CMP_EQ"}]})",
        R"({"names":["close"],"action":"SCMP_ACT_ERRNO"})",  // the default's own action
    };
    std::array<int, 4> order{0, 1, 2, 3};
    do {
        std::string list;
        for (const int i : order)
            list += (list.empty() ? "" : ",") + std::string(rules[i]);
        const Filter filter(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[)" + list + "]}");
        CHECK(filter("write") == SECCOMP_RET_ALLOW);
        CHECK(filter("write", {0, 0, 5}) == SCMP_ACT_ERRNO(9));
        CHECK(filter("write", {0, 7, 5}) == SECCOMP_RET_KILL_PROCESS);
        CHECK(filter("close") == kEperm);
    } while (std::next_permutation(order.begin(), order.end()));
}
