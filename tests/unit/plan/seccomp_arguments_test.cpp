// Rules that look at arguments: every comparison, and the width of what is compared.
#include "catch.hpp"
#include "plan/seccomp_rules.hpp"
#include "unit/plan/seccomp_lab.hpp"

#include <random>
#include <string_view>

#include <sys/socket.h>

using namespace covey::plan;
using namespace covey::plan::test;

TEST_CASE("every comparison holds for wide arguments") {
    // lseek's offset is 64 bits wide; the rule's index is 0, so mmap's address serves.
    struct Row {
        const char* op;
        bool below, equal, above, far;
    };
    for (const auto& row : {Row{"SCMP_CMP_EQ", false, true, false, false},
                            Row{"SCMP_CMP_NE", true, false, true, true},
                            Row{"SCMP_CMP_LT", true, false, false, false},
                            Row{"SCMP_CMP_LE", true, true, false, false},
                            Row{"SCMP_CMP_GT", false, false, true, true},
                            Row{"SCMP_CMP_GE", false, true, true, true}}) {
        CAPTURE(row.op);
        const Filter filter(rule("mmap", row.op, 100));
        const auto allows = [&](std::uint64_t value) {
            return filter("mmap", {value}) == SECCOMP_RET_ALLOW;
        };
        CHECK(allows(99) == row.below);
        CHECK(allows(100) == row.equal);
        CHECK(allows(101) == row.above);
        CHECK(allows(kHigh + 100) == row.far);
    }
    const Filter masked(rule("mmap", "SCMP_CMP_MASKED_EQ", kHigh | 0xf0, 0x30));
    CHECK(masked("mmap", {0x3f}) == SECCOMP_RET_ALLOW);
    CHECK(masked("mmap", {0x4f}) == kEperm);
    CHECK(masked("mmap", {kHigh | 0x3f}) == kEperm);
}

TEST_CASE("bit 32 does not get past a rule on a 32-bit argument") {
    const Filter deny(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["socket"],
        "action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":38,"op":"SCMP_CMP_EQ"}]}]})");
    CHECK(deny("socket", {38}) == kEperm);
    CHECK(deny("socket", {38 | kHigh}) == kEperm);
    CHECK(deny("socket", {38 | (kHigh << 31)}) == kEperm);
    CHECK(deny("socket", {AF_INET}) == SECCOMP_RET_ALLOW);

    // Docker's way: allowed unless it is that family.
    const Filter unless(rule("socket", "SCMP_CMP_NE", 40));
    CHECK(unless("socket", {40}) == kEperm);
    CHECK(unless("socket", {40 | kHigh}) == kEperm);
    for (const std::uint64_t family : {0U, 1U, 2U, 8U, 16U, 32U, 38U, 41U, 44U, 104U})
        CHECK(unless("socket", {family}) == SECCOMP_RET_ALLOW);
}

TEST_CASE("every comparison of a 32-bit argument is one of its low half, whatever the high one") {
    std::mt19937_64 random(7);
    for (const auto* op : {"SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",
                           "SCMP_CMP_GT", "SCMP_CMP_GE"}) {
        for (const std::uint64_t value :
             {0ULL, 1ULL, 38ULL, 0x5413ULL, 0x8000'0000ULL, 0xffff'fffeULL, 0xffff'ffffULL}) {
            const Filter filter(rule("personality", op, value));
            for (int i = 0; i < 200; ++i) {
                // Near the value, and with one bit changed, is where mistakes are.
                std::uint32_t low = static_cast<std::uint32_t>(value);
                if (i % 4 == 0) low = static_cast<std::uint32_t>(random());
                if (i % 4 == 1) low += static_cast<std::uint32_t>(random() % 5) - 2;
                if (i % 4 == 2) low ^= 1U << (random() % 32);
                const std::string_view name(op);
                const bool expected = name == "SCMP_CMP_EQ"   ? low == value
                                      : name == "SCMP_CMP_NE" ? low != value
                                      : name == "SCMP_CMP_LT" ? low < value
                                      : name == "SCMP_CMP_LE" ? low <= value
                                      : name == "SCMP_CMP_GT" ? low > value
                                                              : low >= value;
                const std::uint64_t high = i % 2 == 0 ? 0U : std::uint64_t{random()} << 32;
                const auto got = filter("personality", {high | low});
                if ((got == SECCOMP_RET_ALLOW) != expected) {
                    CAPTURE(op, value, low, high);
                    CHECK((got == SECCOMP_RET_ALLOW) == expected);
                }
            }
        }
    }
    const Filter negative(rule("personality", "SCMP_CMP_EQ", ~std::uint64_t{0}));
    CHECK(negative("personality", {0xffffffff}) == SECCOMP_RET_ALLOW);
    const Filter masked(rule("personality", "SCMP_CMP_MASKED_EQ", ~std::uint64_t{0}, 8));
    CHECK(masked("personality", {8 | kHigh}) == SECCOMP_RET_ALLOW);
    CHECK(masked("personality", {9}) == kEperm);
    CHECK(is_32_bit_argument("socket", 0));
    CHECK_FALSE(is_32_bit_argument("mmap", 0));
    CHECK_FALSE(is_32_bit_argument("socket", 5));
}

TEST_CASE("all arguments of a rule must match, those of one index are alternatives") {
    const Filter both(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["socket"],
        "action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2,"op":"SCMP_CMP_EQ"},
                                          {"index":1,"value":1,"op":"SCMP_CMP_EQ"}]}]})");
    CHECK(both("socket", {2, 1}) == SECCOMP_RET_ALLOW);
    CHECK(both("socket", {2, 2}) == kEperm);
    CHECK(both("socket", {1, 1}) == kEperm);
    const Filter either(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["socket"],
        "action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},
                                          {"index":0,"value":2,"op":"SCMP_CMP_EQ"}]}]})");
    CHECK(either("socket", {1}) == SECCOMP_RET_ALLOW);
    CHECK(either("socket", {2}) == SECCOMP_RET_ALLOW);
    CHECK(either("socket", {3}) == kEperm);
}
