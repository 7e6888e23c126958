// Whole profiles: an engine's, against every call and in the kernel; what is refused; agents.
#include "catch.hpp"
#include "unit/plan/config.hpp"
#include "unit/plan/seccomp_lab.hpp"

#include <cstring>
#include <map>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace covey::plan;
using namespace covey::plan::test;

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

TEST_CASE("a profile that does not fit into the kernel is refused") {
    Json profile{{"defaultAction", "SCMP_ACT_ERRNO"}, {"syscalls", Json::array()}};
    for (int i = 0; i < 1100; ++i)
        profile["syscalls"].push_back(
            {{"names", {"mmap"}},
             {"action", "SCMP_ACT_ALLOW"},
             {"args", {{{"index", 0}, {"value", i}, {"op", "SCMP_CMP_EQ"}}}}});
    CHECK(problem_of(profile.dump()) == "/linux/seccomp");
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

TEST_CASE("an exec has the container's filter") {
    auto json = config();
    json["linux"]["seccomp"] = Json::parse(rule("socket", "SCMP_CMP_EQ", 1));
    ExecRequest exec;
    exec.args = {"ls"};
    CHECK(exec_of(json, exec).seccomp->filter == plan_of(json).process.seccomp->filter);
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
