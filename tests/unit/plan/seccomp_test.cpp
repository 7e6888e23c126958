#include "catch.hpp"
#include "plan/seccomp_filter.hpp"
#include "plan/seccomp_rules.hpp"
#include "unit/plan/bpf_machine.hpp"
#include "unit/plan/config.hpp"

#include <cerrno>
#include <random>

#include <linux/audit.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace covey::plan;
using namespace covey::plan::test;

namespace {

constexpr std::uint64_t kHigh = std::uint64_t{1} << 32;
constexpr auto kEperm = SCMP_ACT_ERRNO(EPERM);
constexpr auto kEnosys = SCMP_ACT_ERRNO(ENOSYS);

/// A compiled profile that can be asked.
class Filter {
  public:
    explicit Filter(const std::string& profile) {
        auto json = config();
        json["linux"]["seccomp"] = Json::parse(profile);
        plan_ = plan_of(json);
    }

    std::uint32_t operator()(const char* name, std::array<std::uint64_t, 6> args = {}) const {
        return on(seccomp_arch_native(), name, args);
    }
    std::uint32_t on(std::uint32_t token, const char* name,
                     std::array<std::uint64_t, 6> args = {}) const {
        // The real number: a call that exists twice on i386 has a pseudo number otherwise.
        return raw(token, seccomp_syscall_resolve_name_rewrite(token, name), args);
    }
    std::uint32_t raw(std::uint32_t architecture, int number,
                      std::array<std::uint64_t, 6> args = {}) const {
        return run_filter(plan_.process.seccomp->filter, {architecture, number, args});
    }
    const LaunchPlan& plan() const { return plan_; }

  private:
    LaunchPlan plan_;
};

std::string problem_of(const std::string& profile) {
    auto json = config();
    json["linux"]["seccomp"] = Json::parse(profile);
    return pointer_of(json);
}

std::string rule(const char* syscall, const char* op, std::uint64_t value, std::uint64_t two = 0) {
    return Json{{"defaultAction", "SCMP_ACT_ERRNO"},
                {"syscalls",
                 {{{"names", {syscall}},
                   {"action", "SCMP_ACT_ALLOW"},
                   {"args", {{{"index", 0}, {"value", value}, {"valueTwo", two}, {"op", op}}}}}}}}
        .dump();
}

}  // namespace

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

TEST_CASE("a whole engine profile does what its rules say for every call") {
    const auto json = Json::parse(read_text(golden("kubernetes.config.json")));
    const auto& profile = json["linux"]["seccomp"];
    const Filter filter(profile.dump());
    std::map<std::string, bool> plain;
    for (const auto& entry : profile["syscalls"])
        if (!entry.contains("args"))
            for (const auto& name : entry["names"])
                plain[name] = entry["action"] == "SCMP_ACT_ALLOW";
    int allowed = 0;
    for (const auto& [name, allow] : plain) {
        const int number = seccomp_syscall_resolve_name(name.c_str());
        if (number < 0) continue;
        CAPTURE(name);
        CHECK((filter(name.c_str(), {1, 2, 3, 4, 5, 6}) == SECCOMP_RET_ALLOW) == allow);
        allowed += allow ? 1 : 0;
    }
    CHECK(allowed > 250);
    for (const auto* name :
         {"mount", "ptrace", "bpf", "kexec_load", "init_module", "reboot", "setns"})
        CHECK(filter(name) == kEperm);
    CHECK(filter("clone3") == kEnosys);
    CHECK(filter("clone", {0x10000000}) == kEperm);  // CLONE_NEWUSER
    CHECK(filter("clone", {0x01200011}) == SECCOMP_RET_ALLOW);
    CHECK(filter("personality", {0xffffffff}) == SECCOMP_RET_ALLOW);
    CHECK(filter("personality", {0x40000}) == kEperm);
    CHECK(filter("socket", {40 | kHigh}) == kEperm);
    CHECK(filter.plan().process.seccomp->filter.size() < 1200);
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

TEST_CASE("flags are the kernel's, agents are refused by name") {
    const Filter filter(R"({"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW","SECCOMP_FILTER_FLAG_TSYNC"]})");
    CHECK(filter.plan().process.seccomp->flags ==
          (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW));
    CHECK(
        problem_of(
            R"({"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]})") ==
        "/linux/seccomp/flags/0");
    CHECK(problem_of(R"({"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/agent"})") ==
          "/linux/seccomp/listenerPath");
    auto json =
        config(R"({"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/agent",
        "listenerMetadata":"x","syscalls":[{"names":["read"],"action":"SCMP_ACT_NOTIFY"}]}}})");
    CHECK(problems_of(json).size() == 3);
}

TEST_CASE("a profile that does not fit into the kernel is refused") {
    Json profile{{"defaultAction", "SCMP_ACT_ERRNO"}, {"syscalls", Json::array()}};
    for (int i = 0; i < 1100; ++i)
        profile["syscalls"].push_back(
            {{"names", {"mmap"}},
             {"action", "SCMP_ACT_ALLOW"},
             {"args", {{{"index", 0}, {"value", i}, {"op", "SCMP_CMP_EQ"}}}}});
    CHECK(problem_of(profile.dump()) == "/linux/seccomp");
}

TEST_CASE("an exec has the container's filter") {
    auto json = config();
    json["linux"]["seccomp"] = Json::parse(rule("socket", "SCMP_CMP_EQ", 1));
    ExecRequest exec;
    exec.args = {"ls"};
    CHECK(exec_of(json, exec).seccomp->filter == plan_of(json).process.seccomp->filter);
}

TEST_CASE("the kernel takes the filter and does the same") {
    const auto json = Json::parse(read_text(golden("kubernetes.config.json")));
    const Filter filter(json["linux"]["seccomp"].dump());
    auto words = filter.plan().process.seccomp->filter;
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        sock_fprog program{static_cast<unsigned short>(words.size()), nullptr};
        std::memcpy(&program.filter, std::array{words.data()}.data(), sizeof program.filter);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(1);
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) _exit(2);
        if (syscall(SYS_personality, 0xffffffffUL) < 0) _exit(3);
        if (syscall(SYS_personality, 0x40000UL) != -1 || errno != EPERM) _exit(4);
        if (syscall(SYS_socket, 40 | kHigh, SOCK_STREAM, 0) != -1 || errno != EPERM) _exit(5);
        if (syscall(SYS_clone3, nullptr, 0) != -1 || errno != ENOSYS) _exit(6);
        if (syscall(5000) != -1 || errno != ENOSYS) _exit(7);
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("a seccomp agent is asked by the spec's rule, but not for what the launch itself needs") {
    const auto lines = [](const std::string& profile, const std::string& pid,
                          bool no_new_privileges) {
        auto json = config(R"({"hostname": null})");
        json["process"]["noNewPrivileges"] = no_new_privileges;
        json["linux"]["namespaces"] = Json::parse(R"([{"type":"mount"})" + pid + "]");
        json["linux"]["seccomp"] = Json::parse(profile);
        auto with = request();
        with.namespaces = NamespaceRule::spec;
        return problems_of(json, with);
    };
    const auto asks = [](const std::string& name, const std::string& rest = "") {
        return R"({"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/agent",)" + rest +
               R"("syscalls":[{"names":[")" + name + R"("],"action":"SCMP_ACT_NOTIFY"}]})";
    };
    const std::string alone = R"(,{"type":"pid"})", joined;
    for (const auto& pid : {alone, joined})
        for (const bool locked : {true, false}) {
            CAPTURE(pid, locked);
            CHECK(lines(asks("mkdir"), pid, locked).empty());
            CHECK(lines(asks("write"), pid, locked).empty());
            CHECK(lines(asks("sendmsg"), pid, locked).at(0).find("sendmsg") != std::string::npos);
            CHECK(lines(asks("clone"), pid, locked).empty() == (pid == alone));
            CHECK(lines(asks("setgroups"), pid, locked).empty() == (pid == alone || locked));
        }
    CHECK(lines(R"({"defaultAction":"SCMP_ACT_NOTIFY","listenerPath":"/run/agent"})", alone, true)
              .at(0)
              .starts_with("/linux/seccomp/defaultAction"));
    CHECK(lines(asks("mkdir", R"("listenerMetadata":")" + std::string(70000, 'x') + "\","), alone,
                true)
              .at(0)
              .starts_with("/linux/seccomp/listenerMetadata"));
    CHECK(
        lines(asks("mkdir", R"("flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],)"), alone, true)
            .empty());
}
