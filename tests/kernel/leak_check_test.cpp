#include "support/leak_check.hpp"

#include "catch.hpp"
#include "support/requires.hpp"
#include "support/run_program.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace covey::test;
namespace fs = std::filesystem;

namespace {

/// The only leak, of that kind and with that text.
void check_only_leak(const Snapshot& before, const std::string& kind, const std::string& text) {
    const auto leaks = leaks_since(before, std::chrono::milliseconds{50});
    REQUIRE(leaks.size() == 1);
    CHECK(leaks[0].rfind("leaked " + kind + ": ", 0) == 0);
    CHECK(leaks[0].find(text) != std::string::npos);
}

struct TemporaryFolder {
    TemporaryFolder() {
        char name[] = "/tmp/covey-leak-XXXXXX";
        path = mkdtemp(name);
    }
    ~TemporaryFolder() { fs::remove_all(path); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    fs::path path;
};

pid_t fork_sleeper() {
    const pid_t child = fork();
    if (child == 0) {
        // A failing check must not leave it behind, with the test's output open.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    return child;
}

}  // namespace

TEST_CASE("hidden: leaks a descriptor", "[.leaky]") {
    REQUIRE(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
}
TEST_CASE("hidden: leaks in one of its sections", "[.leaky_section]") {
    SECTION("clean") {
        CHECK(getpid() > 0);
    }
    SECTION("leaky") {
        REQUIRE(open("/dev/zero", O_RDONLY | O_CLOEXEC) >= 0);
    }
}

TEST_CASE("hidden: stays for a while", "[.stays]") {
    CHECK(poll(nullptr, 0, 30000) == 0);
}

TEST_CASE("a case that leaks fails, and says what it leaked") {
    const auto run = run_self("[leaky]");
    CHECK(run.status == 1);
    CHECK(run.output.find("leaked descriptor: ") != std::string::npos);
    CHECK(run.output.find("/dev/null") != std::string::npos);
    CHECK(run_self("[leaky_section]").output.find("/dev/zero") != std::string::npos);
}

TEST_CASE("a running child is a leak until it is reaped") {
    const auto before = take_snapshot();
    const pid_t child = fork_sleeper();
    REQUIRE(child > 0);
    check_only_leak(before, "process", std::to_string(child) + "/");
    kill(child, SIGKILL);
    check_only_leak(before, "process", "state Z");
    REQUIRE(waitpid(child, nullptr, 0) == child);
    CHECK(leaks_since(before).empty());
}

TEST_CASE("a process that dies in time is no leak") {
    const auto before = take_snapshot();
    const auto old = signal(SIGCHLD, SIG_IGN);  // the kernel reaps
    const pid_t child = fork();
    if (child == 0) {
        poll(nullptr, 0, 300);
        _exit(0);
    }
    check_only_leak(before, "process", std::to_string(child) + "/");
    CHECK(leaks_since(before).empty());
    signal(SIGCHLD, old);
}

TEST_CASE("a covey program is a leak although it is nobody's child") {
    COVEY_REQUIRES("root");
    const auto before = take_snapshot();
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const pid_t middle = fork();
    if (middle == 0) {
        const pid_t orphan = fork();
        if (orphan == 0) execl("/proc/self/exe", "covey:[lost]", "[stays]", nullptr);
        _exit(write(ends[1], &orphan, sizeof orphan) == sizeof orphan ? 0 : 1);
    }
    pid_t orphan = 0;
    REQUIRE(read(ends[0], &orphan, sizeof orphan) == sizeof orphan);
    close(ends[0]);
    close(ends[1]);
    REQUIRE(waitpid(middle, nullptr, 0) == middle);
    check_only_leak(before, "process", "covey:[lost]");
    kill(orphan, SIGKILL);
    CHECK(leaks_since(before).empty());
}

TEST_CASE("a mount is a leak until it is unmounted") {
    COVEY_REQUIRES("root");
    const TemporaryFolder folder;
    const auto before = take_snapshot();
    REQUIRE(mount("leaky", folder.path.c_str(), "tmpfs", 0, nullptr) == 0);
    check_only_leak(before, "mount", folder.path.string() + " (tmpfs leaky)");
    REQUIRE(umount2(folder.path.c_str(), MNT_DETACH) == 0);
    CHECK(leaks_since(before).empty());
}

TEST_CASE("a mount in a namespace of the case's own is no leak") {
    COVEY_REQUIRES("root");
    const auto before = take_snapshot();
    const TemporaryFolder folder;
    REQUIRE(unshare(CLONE_NEWNS) == 0);
    REQUIRE(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    REQUIRE(mount("private", folder.path.c_str(), "tmpfs", 0, nullptr) == 0);
    CHECK(leaks_since(before).empty());
    REQUIRE(umount2(folder.path.c_str(), MNT_DETACH) == 0);
}

TEST_CASE("a cgroup of ours is a leak in any hierarchy until it is removed") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v2");
    // An earlier run that was killed half-way may have left its group.
    for (const auto* hierarchy : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids"}) {
        std::error_code ignored;
        fs::remove(fs::path{hierarchy} / "covey-leak-check", ignored);
    }
    const auto before = take_snapshot();
    for (const auto* hierarchy :
         {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids"}) {
        if (!fs::exists(fs::path{hierarchy} / "cgroup.procs")) continue;
        const auto leaf = fs::path{hierarchy} / "covey-leak-check";
        REQUIRE(fs::create_directory(leaf));
        check_only_leak(before, "cgroup", leaf.string());
        REQUIRE(fs::remove(leaf));
    }
    CHECK(leaks_since(before).empty());
}

TEST_CASE("a file below a watched folder is a leak until it is removed") {
    const TemporaryFolder folder;
    watch_dir(folder.path.string());
    const auto before = take_snapshot();
    fs::create_directory(folder.path / "sub");
    std::ofstream{folder.path / "sub/record"} << "x";
    const auto leaks = leaks_since(before, std::chrono::milliseconds{0});
    REQUIRE(leaks.size() == 2);
    CHECK(leaks[1] == "leaked file: " + (folder.path / "sub/record").string());
    fs::remove_all(folder.path / "sub");
    CHECK(leaks_since(before).empty());
}

TEST_CASE("descriptors of a watched process are counted by what they are") {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char word = 0;
        if (read(ends[0], &word, 1) == 1)
            static_cast<void>(open("/dev/full", O_RDONLY | O_CLOEXEC));
        pause();
        _exit(0);
    }
    watch_descriptors(child);
    const auto before = take_snapshot();
    REQUIRE(write(ends[1], "x", 1) == 1);
    check_only_leak(before, "descriptor", "of process " + std::to_string(child) + ": /dev/full");
    kill(child, SIGKILL);
    REQUIRE(waitpid(child, nullptr, 0) == child);
    close(ends[0]);
    close(ends[1]);
}
