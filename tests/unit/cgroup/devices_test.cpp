#include "cgroup/devices.hpp"

#include "catch.hpp"
#include "covey/error.hpp"

#include <array>
#include <random>

using namespace covey::cgroup;

namespace {

struct Request {
    char type;
    std::uint32_t major, minor, access;
};

/// Runs the program as the kernel would; the few instructions that the compiler uses.
bool run(const std::vector<bpf_insn>& program, const Request& request) {
    const std::uint32_t type = request.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
    const std::array<std::uint32_t, 3> context = {request.access << 16U | type, request.major,
                                                  request.minor};
    std::array<std::uint32_t, 11> registers{};
    for (std::size_t at = 0; at < program.size(); ++at) {
        const auto& step = program[at];
        auto& target = registers.at(step.dst_reg);
        const auto value = static_cast<std::uint32_t>(step.imm);
        const auto skip = [&] { at += static_cast<std::size_t>(step.off); };
        if (step.off < 0) FAIL("a jump back");
        switch (step.code) {
            case BPF_LDX | BPF_MEM | BPF_W:
                target = context.at(static_cast<std::size_t>(step.off) / 4);
                break;
            case BPF_ALU | BPF_AND | BPF_K:
                target &= value;
                break;
            case BPF_ALU | BPF_RSH | BPF_K:
                target >>= value;
                break;
            case BPF_ALU | BPF_MOV | BPF_X:
                target = registers.at(step.src_reg);
                break;
            case BPF_ALU64 | BPF_MOV | BPF_K:
                target = value;
                break;
            case BPF_JMP | BPF_JA:
                skip();
                break;
            case BPF_JMP32 | BPF_JEQ | BPF_K:
                if (target == value) skip();
                break;
            case BPF_JMP32 | BPF_JNE | BPF_K:
                if (target != value) skip();
                break;
            case BPF_JMP | BPF_EXIT:
                return registers[0] != 0;
            default:
                FAIL("an instruction that this interpreter does not know");
        }
    }
    FAIL("ran off the end of the program");
    return false;
}

/// What rules mean, straight from the definition.
bool allowed(const std::vector<DeviceMatch>& rules, const Request& request) {
    for (const std::uint32_t bit : {kRead, kWrite, kMknod}) {
        if ((request.access & bit) == 0) continue;
        bool verdict = false;
        for (const auto& rule : rules)
            if ((rule.type == 'a' || rule.type == request.type) &&
                (!rule.major || rule.major == request.major) &&
                (!rule.minor || rule.minor == request.minor) && (rule.access & bit) != 0)
                verdict = rule.allow;
        if (!verdict) return false;
    }
    return true;
}

DeviceRule rule(bool allow, char type, std::optional<std::int64_t> major,
                std::optional<std::int64_t> minor, std::string access) {
    return {allow, type, major, minor, std::move(access)};
}

bool passes(const std::vector<DeviceRule>& rules, const Request& request) {
    return run(compile_devices(effective_rules(rules)), request);
}

}  // namespace

TEST_CASE("without rules the default devices are open and everything else is closed") {
    constexpr std::uint32_t kOpen = kRead | kWrite;
    for (std::uint32_t minor : {3U, 5U, 7U, 8U, 9U})
        CHECK(passes({}, {'c', 1, minor, kOpen}));
    CHECK(passes({}, {'c', 5, 0, kOpen}));
    CHECK(passes({}, {'c', 5, 2, kOpen}));
    CHECK(passes({}, {'c', 136, 71, kOpen}));
    CHECK(passes({}, {'b', 8, 0, kMknod}));
    for (std::uint32_t minor : {1U, 2U, 4U, 11U}) {
        CHECK_FALSE(passes({}, {'c', 1, minor, kRead}));
        CHECK(passes({}, {'c', 1, minor, kMknod}));
        CHECK_FALSE(passes({}, {'c', 1, minor, kMknod | kRead}));
    }
    CHECK_FALSE(passes({}, {'b', 1, 3, kRead}));
    CHECK_FALSE(passes({}, {'b', 8, 0, kRead}));
    CHECK_FALSE(passes({}, {'c', 5, 1, kWrite}));
    CHECK_FALSE(passes({}, {'c', 10, 200, kOpen}));
    CHECK_FALSE(passes({}, {'c', 0x80000001, 3, kRead}));
}

TEST_CASE("the default program is short") {
    CHECK(compile_devices(effective_rules({})).size() <= 24);
}

TEST_CASE("allow all opens everything, and deny all before the defaults closes it again") {
    const auto all = rule(true, 'a', {}, {}, "rwm");
    const auto none = rule(false, 'a', {}, {}, "rwm");
    CHECK(passes({all}, {'b', 8, 0, kAllAccess}));
    CHECK(passes({none, all}, {'c', 1, 1, kAllAccess}));
    CHECK_FALSE(passes({all, none}, {'c', 1, 1, kRead}));
    CHECK(passes({all, none}, {'c', 1, 3, kRead}));
    CHECK(compile_devices(effective_rules({all})).size() < 10);
}

TEST_CASE("the program decides as the definition says, for any rules and requests") {
    std::mt19937 random{20240607};
    const auto pick = [&](auto... values) {
        const std::array choices{values...};
        return choices.at(random() % choices.size());
    };
    for (int round = 0; round < 3000; ++round) {
        std::vector<DeviceMatch> rules{DeviceMatch{pick(false, true), 'a', {}, {}, kAllAccess}};
        const auto count = random() % 12;
        for (std::size_t index = 0; index < count; ++index) {
            DeviceMatch match{pick(false, true), pick('a', 'b', 'c'), {}, {}, 0};
            if (pick(false, true, true)) match.major = pick(1U, 2U, 3U);
            if (pick(false, true, true)) match.minor = pick(1U, 2U, 3U);
            match.access = pick(1U, 2U, 3U, 4U, 5U, 6U, 7U, 7U, 7U);
            rules.push_back(match);
        }
        const auto program = compile_devices(rules);
        for (int probe = 0; probe < 40; ++probe) {
            const Request request{pick('b', 'c'), pick(1U, 2U, 3U, 4U), pick(1U, 2U, 3U, 4U),
                                  pick(1U, 2U, 3U, 4U, 5U, 6U, 7U)};
            if (run(program, request) != allowed(rules, request)) {
                FAIL("round " << round << ": " << request.type << " " << request.major << ":"
                              << request.minor << " access " << request.access);
            }
        }
    }
    SUCCEED("3000 rule lists");
}

TEST_CASE("rules that are none are refused by number") {
    const auto refused = [](const DeviceRule& bad) {
        try {
            (void)effective_rules({rule(true, 'c', 1, 3, "r"), bad});
        } catch (const covey::Error& error) {
            CHECK(error.code() == covey::Code::invalid_argument);
            CHECK_FALSE(error.fix().empty());
            return error.detail();
        }
        return std::string{"accepted"};
    };
    CHECK(refused(rule(true, 'p', 1, 3, "r")) == "device rule 1: type 'p'");
    CHECK(refused(rule(true, 'c', -2, 3, "r")) == "device rule 1: -2 is no device number");
    CHECK(refused(rule(true, 'c', 1LL << 32, 3, "r")).find("4294967296") != std::string::npos);
    CHECK(refused(rule(true, 'c', 1, 3, "rx")) == "device rule 1: access 'rx'");
    CHECK(refused(rule(true, 'c', 1, 3, "")) == "device rule 1: an access that is empty");
    CHECK(passes({rule(true, 'c', -1, -1, "r")}, {'c', 77, 7, kRead}));  // -1 is any
    CHECK_THROWS_AS(effective_rules(std::vector<DeviceRule>(1001)), covey::Error);
}

TEST_CASE("v1 gets deny all with the allowed devices as exceptions, or the other way round") {
    const auto lines = [](const DevicesV1& devices) {
        std::vector<std::string> text;
        for (const auto& exception : devices.exceptions)
            text.push_back(v1_line(exception));
        return text;
    };
    const auto usual = devices_for_v1(effective_rules({rule(true, 'c', 10, 229, "rw")}));
    CHECK_FALSE(usual.allow_all);
    CHECK(lines(usual).at(0) == "c 10:229 rw");
    CHECK(lines(usual).at(1) == "b *:* m");
    CHECK(lines(usual).at(2) == "c *:* m");
    CHECK(lines(usual).at(3) == "c 1:3 rwm");
    CHECK(lines(usual).back() == "c 136:* rwm");

    const auto open = devices_for_v1(
        effective_rules({rule(true, 'a', {}, {}, "rwm"), rule(false, 'c', 1, 11, "rw"),
                         rule(false, 'c', 1, 3, "rw")}));
    CHECK(open.allow_all);
    CHECK(lines(open) == std::vector<std::string>{"c 1:11 rw"});  // null is a default device

    CHECK_THROWS_AS(devices_for_v1(effective_rules(
                        {rule(true, 'c', 7, {}, "rw"), rule(false, 'c', 7, 1, "rw")})),
                    covey::Error);
}
