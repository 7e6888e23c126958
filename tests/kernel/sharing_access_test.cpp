// Access private and observer, in pid mode pod: what a restricted container can do to neighbours
// of the same uid, with and without SYS_PTRACE, from its main process and from an exec.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"

#include <csignal>
#include <filesystem>

#include <sys/mount.h>
#include <sys/syscall.h>

using namespace covey;
using namespace covey::test;

namespace {

const BundleOptions kAccessSleeper = probe_bundle({"sleep", "forever"});
constexpr const char* kCanary = "CANARY-7731";

ContainerOptions with_access(const std::string& access, PidMode mode = PidMode::pod) {
    auto options = in_mode(mode);
    options.access = access;
    return options;
}

std::string user(int uid) {
    const auto id = std::to_string(uid);
    return R"({"process":{"user":{"uid":)" + id + R"(,"gid":)" + id + "}}}";
}

/// The neighbour, private too, with the canary in its argv, environment, memory (they are) and
/// root.
Container start_victim(Lab& lab, int uid) {
    auto options = probe_bundle({"sleep", "forever", "--", "echo", kCanary}, user(uid));
    options.patch = R"({"process":{"user":{"uid":)" + std::to_string(uid) + R"(},"env":["SECRET=)" +
                    std::string{kCanary} + R"("]}})";
    return lab.start("victim", options, with_access("private"));
}

/// No way of /proc leads to what is there.
void check_inspection(Container& from, pid_t to, const std::string& errno_name) {
    const auto base = "/proc/" + std::to_string(to);
    for (const char* file : {"environ", "maps", "mem", "stack", "syscall", "auxv"}) {
        const auto got = exec(from, {"read", base + "/" + file});
        INFO(file << ": " << got.out);
        CHECK(got.out.find(kCanary) == std::string::npos);
        CHECK(got.status.exit_code != 0);
    }
    for (const char* link : {"root", "cwd", "exe", "ns/pid"})
        CHECK(exec(from, {"readlink", base + "/" + link}).out == errno_name + "\n");
    CHECK(exec(from, {"ls", base + "/root"}).status.exit_code != 0);
    // CAP_DAC_OVERRIDE of uid 0 opens the folder itself, in which an observer finds bare numbers.
    CHECK(exec(from, {"readlink", base + "/fd/0"}).out == errno_name + "\n");
    CHECK(exec(from, {"ptrace", std::to_string(to)}).out == "EPERM\n");
    const auto pid = std::to_string(to);
    // kcmp(2) of two processes' files; process_vm_readv(2) without anything to read is allowed or
    // refused before anything else is looked at.
    CHECK(exec(from, {"syscall", std::to_string(SYS_kcmp), pid, pid, "2", "0", "0"}).out ==
          "EPERM\n");
}

}  // namespace

TEST_CASE("a private container sees, signals and inspects nobody but itself") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    Lab lab;
    for (const int uid : {0, 1000}) {
        auto victim = start_victim(lab, uid);
        for (const bool traces : {false, true}) {
            for (const int own_uid : {0, 1000}) {
                INFO("victim uid " << uid << ", own " << own_uid << ", SYS_PTRACE " << traces);
                auto options = with_access("private");
                if (traces) options.add_capabilities = {"SYS_PTRACE"};
                auto bundle = probe_bundle({"sleep", "forever"}, user(own_uid));
                auto container = lab.start("app", bundle, options);
                const auto listing = exec(container, {"ls", "/proc"}).out;
                const auto quoted = [](pid_t pid) { return "\"" + std::to_string(pid) + "\""; };
                CHECK(listing.find(quoted(victim.pod_pid())) == std::string::npos);
                CHECK(listing.find("\"1\"") == std::string::npos);
                CHECK(listing.find(quoted(container.pod_pid())) != std::string::npos);
                check_inspection(container, victim.pod_pid(), "ENOENT");
                const auto pid = std::to_string(victim.pod_pid());
                CHECK(exec(container, {"read", "/proc/" + pid + "/cmdline"}).out == "ENOENT\n");
                for (const char* signal : {"0", "1", "9", "18"}) {
                    CHECK(exec(container, {"kill", pid, signal}).out == "EPERM\n");
                    CHECK(exec(container, {"kill", "1", signal}).out == "EPERM\n");
                }
                // Its own processes: all works, from one of them to another.
                const auto own = std::to_string(container.pod_pid());
                CHECK(exec(container, {"kill", own, "0"}).out == "ok\n");
                CHECK(exec(container, {"readlink", "/proc/" + own + "/exe"}).out.find("probe") !=
                      std::string::npos);
                CHECK(exec(container, {"ls", "/proc/" + own + "/root"}).out.find("proc") !=
                      std::string::npos);
                CHECK(exec(container, {"ptrace", own}).out == "ok\n");
                container.remove(true);
            }
        }
        CHECK(victim.state() == "running");
        victim.remove(true);
    }
}

TEST_CASE("an observer sees its neighbours and nothing more") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    Lab lab;
    auto victim = start_victim(lab, 0);
    auto options = with_access("observer");
    options.add_capabilities = {"SYS_PTRACE"};
    auto observer = lab.start("observer", kAccessSleeper, options);
    const auto pid = std::to_string(victim.pod_pid());
    CHECK(exec(observer, {"ls", "/proc"}).out.find("\"" + pid + "\"") != std::string::npos);
    check_inspection(observer, victim.pod_pid(), "EACCES");
    CHECK(exec(observer, {"kill", pid, "15"}).out == "EPERM\n");
    // It is restricted, the others are not: it is looked at as ever.
    auto tracing = in_pod();
    tracing.add_capabilities = {"SYS_PTRACE"};  // the observer has it, too
    auto debugger = lab.start("debugger", kAccessSleeper, tracing);
    const auto its = "/proc/" + std::to_string(observer.pod_pid());
    CHECK(exec(debugger, {"readlink", its + "/exe"}).out.find("probe") != std::string::npos);
    CHECK(exec(debugger, {"read", "/proc/" + pid + "/environ"}).out.find(kCanary) !=
          std::string::npos);
}

TEST_CASE("a private container lives, execs and ends as any other, in every mode") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container}) {
        auto container = lab.start("app", kAccessSleeper, with_access("private", mode));
        CHECK(exec(container, {"exit", "7"}).status.exit_code == 7);
        CHECK(exec(container, {"kill", mode == PidMode::nested ? "1" : "-1", "0"}).out != "");
        ExecOptions options;
        options.args = {"no-such"};
        CHECK(error_of([&] { (void)container.exec(options); }).code() == Code::not_found);
        CHECK(exec(container, {"daemonise", "sleep", "forever"}).status.exit_code == 0);
        container.kill(SIGKILL);
        REQUIRE(container.wait(kLong));
        CHECK(eventually([] { return processes_of("app.ctr").empty(); }));
        container.remove();
        CHECK(lab.run({"exit", "9"}, "{}", with_access("private", mode)).status.exit_code == 9);
        CHECK(lab.refused({.args = {"/no/such"}}, with_access("private", mode)).code() ==
              Code::not_found);
    }
}

TEST_CASE("capabilities that open what access closes are refused") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const char* name : {"SYS_ADMIN", "PERFMON", "SYS_BOOT"}) {
        for (const char* access : {"private", "observer"}) {
            auto options = with_access(access);
            options.add_capabilities = {name};
            const auto error = lab.refused(kAccessSleeper, options);
            CHECK(error.code() == Code::invalid_argument);
            CHECK(error.detail().find(name) != std::string::npos);
            CHECK_FALSE(error.fix().empty());
        }
    }
    CHECK(lab.refused(kAccessSleeper, with_access("privat")).detail().find("private") !=
          std::string::npos);
}

namespace {

/// A procfs of the host's in a folder of its own, before there is a sandbox whose shim could have a
/// mount table without it.
class HostProc {
  public:
    HostProc() {
        std::filesystem::create_directories(folder_.path() + "/deep/proc");
        REQUIRE(::mount("proc", point().c_str(), "proc", 0, nullptr) == 0);
    }
    HostProc(const HostProc&) = delete;
    HostProc& operator=(const HostProc&) = delete;
    ~HostProc() { ::umount2(point().c_str(), MNT_DETACH); }
    [[nodiscard]] const std::string& folder() const { return folder_.path(); }
    [[nodiscard]] std::string point() const { return folder_.path() + "/deep/proc"; }

  private:
    TemporaryFolder folder_;
};

BundleOptions binding(const std::string& source, const std::string& how) {
    return probe_bundle({"ls", "/data"}, R"({"mounts":[{"destination":"/proc","type":"proc"},
        {"destination":"/data","type":"none","source":")" +
                                             source + R"(","options":[")" + how +
                                             R"("]}],"root":{"readonly":false}})");
}

}  // namespace

// Seen failing without the calls of refuse_host_views().
TEST_CASE("a restricted container gets no procfs of the host's") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    const HostProc host;
    Lab lab;
    const auto link = lab.folder() + "/link";
    std::filesystem::create_directory_symlink("/proc", link);
    struct Row {
        std::string source, how, named;
    };
    const std::vector<Row> rows{{"/proc", "bind", "/proc"},
                                {"/proc", "rbind", "/proc"},
                                {"/proc/sys", "bind", "/proc/sys"},
                                {"/proc/1/status", "bind", "/proc/1/status"},
                                {link, "bind", link},
                                {"/", "rbind", "/proc"},
                                {host.folder(), "rbind", host.point()},
                                {host.point(), "bind", host.point()}};
    for (const char* access : {"private", "observer"})
        for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container})
            for (const auto& row : rows) {
                const auto error =
                    lab.refused(binding(row.source, row.how), with_access(access, mode));
                INFO(access << " " << row.source << ": " << error.detail());
                CHECK(error.code() == Code::invalid_spec);
                CHECK(error.detail().find("procfs") != std::string::npos);
                CHECK(error.detail().find(row.named) != std::string::npos);
                CHECK(error.fix().find("access open") != std::string::npos);
                CHECK(processes_of("refused.ctr").empty());
            }
    // What does not bring it along, and an open container.
    CHECK(lab.run(binding(host.folder(), "bind"), with_access("private")).out == "[\"deep\"]\n");
    CHECK(lab.run(binding(host.folder() + "/deep", "bind"), with_access("private")).out ==
          "[\"proc\"]\n");
    CHECK(lab.run(binding("/proc/sys", "bind"), in_pod()).out.find("kernel") != std::string::npos);
}

// Seen failing without the rows of cgroup file systems in host_views.cpp.
TEST_CASE("a restricted container gets no cgroup file system that it can write") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    Lab lab;
    const std::string groups = "/sys/fs/cgroup";
    const auto ro = [](const std::string& how) { return how + R"(","ro)"; };
    for (const auto& [source, how] : {std::pair{groups, std::string{"rbind"}},
                                      {groups, ro("rbind")},
                                      {std::string{"/sys"}, std::string{"rbind"}}}) {
        const auto error = lab.refused(binding(source, how), with_access("private"));
        INFO(source << " " << how << ": " << error.detail());
        CHECK(error.code() == Code::invalid_spec);
        CHECK(error.detail().find("cgroup file system") != std::string::npos);
        CHECK(error.fix().find("rro") != std::string::npos);
    }
    CHECK_FALSE(lab.run(binding(groups, R"(rbind","rro)"), with_access("private")).out.empty());
    CHECK_FALSE(lab.run(binding(groups, "rbind"), in_pod()).out.empty());
}

TEST_CASE("a restricted container's root brings no procfs of the host's along") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    const Bundle bundle{kAccessSleeper};
    const auto point = bundle.rootfs() + "/run";
    REQUIRE(::mount("proc", point.c_str(), "proc", 0, nullptr) == 0);
    {
        Lab lab;
        const auto error = error_of([&] {
            lab.sandbox()
                .create_container("refused", bundle.path(), with_access("private"))
                .remove(true);
        });
        INFO(error.detail());
        CHECK(error.code() == Code::invalid_spec);
        CHECK(error.detail().find(point) != std::string::npos);
    }
    ::umount2(point.c_str(), MNT_DETACH);
}

// tests/vm runs it on Linux 6.1, whose Landlock cannot hold signals back.
TEST_CASE("without a signal scope private is refused where neighbours are in reach") {
    COVEY_REQUIRES("root");
    if (!missing("landlock_scope")) return;
    Lab lab;
    const auto error = lab.refused(kAccessSleeper, with_access("private", PidMode::pod));
    CHECK(error.code() == Code::unsupported_by_host);
    CHECK(error.fix().find("nested") != std::string::npos);
}
