// A hostile private container, uid 0 with SYS_PTRACE, against private neighbours of the same uid
// and capabilities that hold a canary in their arguments, environment, memory, a file of their root
// and open descriptors: it gets none by any way that tests/probe/prowl*.cpp knows, and reaches
// nobody with a signal. The control cases are the same program in an open container, which gets
// them all.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"

#include <csignal>
#include <filesystem>
#include <set>

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace covey;
using namespace covey::test;

namespace {

constexpr const char *kSecret = "s3cr3t", *kNumber = "7731";

std::string canary(const std::string& place) {
    return std::string{kSecret} + "-" + kNumber + "-" + place;
}

ContainerOptions tracing(PidMode mode, const std::string& access) {
    auto options = in_mode(mode);
    options.access = access;
    options.add_capabilities = {"SYS_PTRACE"};
    return options;
}

/// A private container, with an image of its own, that has what is to be robbed.
class Victim {
  public:
    Victim(Lab& lab, const std::string& id, PidMode mode) {
        write_text(bundle_.rootfs() + "/etc/secret", canary("file"));
        bundle_.configure(
            probe_bundle({"hold", canary("argv")},
                         R"({"process":{"env":["SECRET=)" + canary("environ") + R"("]}})"));
        auto options = tracing(mode, "private");
        const auto out = lab.folder() + "/" + id;
        options.stdout_ = "file:" + out;
        container.emplace(lab.sandbox().create_container(id, bundle_.path(), options));
        container->start();
        REQUIRE(eventually([&] { return text_of(out) == "ready\n"; }));
    }
    std::optional<Container> container;

  private:
    Bundle bundle_;
};

/// Few process numbers in the pod, so that they are soon given anew. (Of the namespace since Linux
/// 6.14; kernels with `pidns=` are newer.)
void make_numbers_few(Lab& lab) {
    if (missing("pidns_mount")) return;
    const int file = ::open(lab.sandbox().namespace_path("pid").c_str(), O_RDONLY | O_CLOEXEC);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setns(file, CLONE_NEWPID) != 0) ::_exit(1);
        const pid_t inside = ::fork();
        if (inside == 0) {
            const int limit = ::open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
            ::_exit(::write(limit, "400", 3) == 3 ? 0 : 1);
        }
        int status = 1;
        ::waitpid(inside, &status, 0);
        ::_exit(status == 0 ? 0 : 1);
    }
    ::close(file);
    int status = 1;
    ::waitpid(child, &status, 0);
    REQUIRE(status == 0);
    REQUIRE(std::stol(text_of("/proc/sys/kernel/pid_max")) > 400);
}

/// From start to end, with newborns in the victim all the time.
Outcome prowl(Lab& lab, Victim& victim, const ContainerOptions& options,
              std::chrono::seconds duration, bool kills) {
    Words words{"prowl", std::to_string(duration.count()), kSecret, kNumber};
    if (kills) words.emplace_back("kill");
    auto with_output = options;
    const auto out = lab.folder() + "/loot";
    std::filesystem::remove(out);
    with_output.stdout_ = "file:" + out;
    auto prowler = lab.start("prowler", probe_bundle(words), with_output);
    std::optional<ExitStatus> end;
    const auto until = std::chrono::steady_clock::now() + duration + kLong;
    while (!(end = prowler.wait(std::chrono::milliseconds{1})) &&
           std::chrono::steady_clock::now() < until)
        if (!kills || options.access == "private")
            (void)exec(*victim.container, {"sleep", "0.01", "--", "echo", canary("argv")});
    REQUIRE(end);
    prowler.remove();
    return {*end, text_of(out), {}};
}

/// What nothing can hide, which docs/sharing.md lists: that a number is taken, and some numbers
/// about it. The signals are those that failed with EPERM and not with ESRCH.
const std::set<std::string> kTold{"pidfd_open",
                                  "PIDFD_GET_INFO",
                                  "getpgid",
                                  "getsid",
                                  "getpriority",
                                  "prlimit",
                                  "sched_getaffinity",
                                  "sched_getscheduler",
                                  "sched_getparam",
                                  "sched_rr_get_interval",
                                  "sched_getattr",
                                  "ioprio_get",
                                  "capget",
                                  "cpu clock",
                                  "kill",
                                  "kill of a group",
                                  "tgkill",
                                  "tkill",
                                  "rt_sigqueueinfo",
                                  "pidfd_send_signal"};

std::set<std::string> names_in(const Outcome& loot, const std::string& pointer) {
    std::set<std::string> names;
    const auto text = loot.at(pointer);
    for (auto at = text.find('"'); at != std::string::npos;) {
        const auto end = text.find('"', at + 1);
        names.insert(text.substr(at + 1, end - at - 1));
        at = text.find('"', end + 1);
    }
    return names;
}

void check_that_nothing_is_got(std::chrono::seconds duration) {
    Lab lab;
    make_numbers_few(lab);
    Victim shared{lab, "shared", PidMode::pod}, nested{lab, "nested", PidMode::nested};
    for (const auto mode : {PidMode::pod, PidMode::nested}) {
        const auto loot = prowl(lab, shared, tracing(mode, "private"), duration, true);
        INFO(loot.out);
        CHECK(loot.status.exit_code == 0);
        CHECK(loot.at("/places") == "[]");
        CHECK(loot.at("/canaries") == "{}");
        CHECK(loot.at("/reached") == "{}");
        CHECK(loot.at("/rulesOwn") == "true");
        CHECK(std::stol(loot.at("/rounds")) > 0);
        CHECK(std::stol(loot.at("/tries")) > 1000);
        // In a namespace of its own there is not even a number to try.
        for (const auto& way : names_in(loot, "/exists")) {
            INFO(way);
            CHECK(mode == PidMode::pod);
            CHECK(kTold.contains(way));
        }
        for (auto* const victim : {&shared, &nested}) {
            CHECK(victim->container->state() == "running");
            CHECK(exec(*victim->container, {"exit", "3"}).status.exit_code == 3);
        }
        CHECK(processes_of("lab.pod").size() == 3);  // they and pause
    }
}

}  // namespace

// Seen failing without hidepid (arguments and the list were got), and in the control case below.
TEST_CASE("a hostile private container gets nothing of its private neighbours") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    check_that_nothing_is_got(std::chrono::seconds{2});
}

TEST_CASE("a hostile private container gets nothing in a minute", "[.][long]") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    check_that_nothing_is_got(std::chrono::seconds{60});
}

TEST_CASE("the same program in an open container gets everything") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    Lab lab;
    Victim shared{lab, "shared", PidMode::pod}, nested{lab, "nested", PidMode::nested};
    const auto open = tracing(PidMode::pod, "open");
    const auto loot = prowl(lab, shared, open, std::chrono::seconds{0}, false);
    INFO(loot.out);
    CHECK(names_in(loot, "/places") ==
          std::set<std::string>{"argv", "deleted", "environ", "file", "memfd", "memory"});
    const auto canaries = names_in(loot, "/canaries");
    for (const char* way : {"cmdline", "environ", "mem", "root contents", "cwd contents",
                            "fd contents", "ptrace", "process_vm_readv", "pidfd_getfd", "detour"}) {
        INFO(way);
        CHECK(canaries.contains(way));
    }
    const auto reached = names_in(loot, "/reached");
    for (const char* way :
         {"listing", "folder", "maps", "status", "stat", "syscall", "pagemap", "auxv", "root",
          "cwd", "exe", "fd links", "map_files links", "task", "kcmp", "get_robust_list",
          "process_vm_writev", "a namespace by its pidfd", "writing mem"}) {
        INFO(way);
        CHECK(reached.contains(way));
    }
    (void)prowl(lab, shared, open, std::chrono::seconds{0}, true);
    for (auto* const victim : {&shared, &nested}) {
        const auto end = victim->container->wait(kLong);
        REQUIRE(end);
        CHECK(end->signal != 0);
    }
}
