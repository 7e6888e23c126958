// A seccomp profile acts on the container's program and on every exec, with no_new_privs and
// without, and does not stop the launch itself.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"

using namespace covey;
using namespace covey::test;

namespace {

std::string patch(bool no_new_privileges, const std::string& rules,
                  const std::string& default_action = "SCMP_ACT_ALLOW") {
    return R"({"root":{"readonly":false},"process":{"noNewPrivileges":)" +
           std::string{no_new_privileges ? "true" : "false"} +
           R"(},"linux":{"seccomp":{"defaultAction":")" + default_action +
           R"(","architectures":["SCMP_ARCH_X86_64"],"syscalls":[)" + rules + "]}}}";
}

constexpr const char* kNoMkdir =
    R"({"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95})";

}  // namespace

TEST_CASE("a seccomp rule acts on the program and on execs") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("seccomp");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        for (const bool no_new_privileges : {true, false}) {
            const auto rules = patch(no_new_privileges, kNoMkdir);
            CHECK(lab.run({"mkdir", "/tmp/x"}, rules, in_mode(mode)).out == "EOPNOTSUPP\n");
            auto container =
                lab.start("app", probe_bundle({"sleep", "forever"}, rules), in_mode(mode));
            CHECK(exec(container, {"mkdir", "/tmp/x"}).out == "EOPNOTSUPP\n");
            CHECK(exec(container, {"state"}).at("/seccomp") == "2");
            CHECK(exec(container, {"state"}).at("/noNewPrivs") ==
                  (no_new_privileges ? "true" : "false"));
            CHECK(exec(container, {"write", "/tmp/file", "x"}).out == "ok\n");
            container.remove(true);
        }
    }
}

TEST_CASE(
    "a profile that hides clone3 and forbids mounts and namespaces does not stop the launch") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("seccomp");
    Lab lab;
    // As Docker's default profile does for a container without SYS_ADMIN; others say EPERM.
    const std::string clone3_errno = GENERATE("38", "1");
    const std::string rules = R"({"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":)" +
                              clone3_errno +
                              R"(},
           {"names":["mount","umount2","pivot_root","unshare","setns","fsopen","fsmount",
                     "move_mount","open_tree","mount_setattr","pidfd_open","close_range","bpf",
                     "ptrace","keyctl","getcwd"],"action":"SCMP_ACT_ERRNO","errnoRet":1})";
    for (const auto mode : {PidMode::pod, PidMode::container})
        for (const bool no_new_privileges : {true, false}) {
            const auto text = patch(no_new_privileges, rules);
            CHECK(lab.run({"socket", "unix"}, text, in_mode(mode)).out == "ok\n");
            auto container =
                lab.start("app", probe_bundle({"sleep", "forever"}, text), in_mode(mode));
            CHECK(exec(container, {"exit", "8"}).status.exit_code == 8);
            container.remove(true);
        }
}

TEST_CASE("nothing runs under a profile that allows nothing") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("seccomp");
    Lab lab;
    for (const bool no_new_privileges : {true, false}) {
        // The launcher is stopped, or the program is: but nothing runs.
        int exit_code = -1;
        const auto error = error_of([&] {
            exit_code =
                lab.run({"exit", "0"},
                        patch(no_new_privileges, R"({"names":["read"],"action":"SCMP_ACT_ALLOW"})",
                              "SCMP_ACT_ERRNO"))
                    .status.exit_code;
        });
        INFO(error.detail());
        CHECK(exit_code != 0);
        try {
            lab.sandbox().container("run").remove(true);
        } catch (const Error& gone) {
            CHECK(gone.code() == Code::not_found);
        }
    }
}
