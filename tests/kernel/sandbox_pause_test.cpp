// covey-pause as the pod's PID 1: nothing inside can end it, nothing can be got from it, and the
// pod ends with it.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <sstream>

#include <sys/stat.h>

using namespace covey;
using namespace covey::test;

namespace {

std::string of_pause(const Sandbox& sandbox, const std::string& file) {
    return "/proc/" + std::to_string(sandbox.pid()) + "/" + file;
}

sys::ProcessStat stat_of(pid_t pid) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    return sys::read_stat(proc, pid).or_throw("read stat of", std::to_string(pid));
}

std::string status_line(const std::string& path, const std::string& name) {
    std::istringstream status{text_of(path)};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
    return "(no " + name + ")";
}

std::size_t children_of(pid_t parent) {
    std::size_t count = 0;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    for (const auto pid : sys::list_processes(proc).or_throw("list", "/proc")) {
        const auto stat = sys::read_stat(proc, pid);
        if (stat && stat.value().ppid == parent) ++count;
    }
    return count;
}

/// kill 1 1 -- kill 1 2 -- …
Words every_signal_to_pause() {
    Words words;
    for (int signal = 1; signal <= 64; ++signal) {
        if (!words.empty()) words.emplace_back("--");
        for (const char* word : {"kill", "1"})
            words.emplace_back(word);
        words.push_back(std::to_string(signal));
    }
    return words;
}

}  // namespace

TEST_CASE("pause ignores every signal that is sent from inside the pod") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto pause = lab.sandbox().pid();
    const auto before = stat_of(pause);
    const auto lines = [](const std::string& text, const std::string& wanted) {
        std::istringstream stream{text};
        std::size_t count = 0;
        for (std::string line; std::getline(stream, line);)
            if (line == wanted) ++count;
        return count;
    };
    // With CAP_KILL the signal is sent, and dropped by the kernel; without it it cannot be sent.
    CHECK(lines(lab.run(every_signal_to_pause()).out, "ok") == 64);
    auto options = in_pod();
    options.drop_capabilities = {"KILL"};
    const auto refused = lab.run(every_signal_to_pause(), "{}", options).out;
    CHECK(lines(refused, "EPERM") == 64);
    const auto after = stat_of(pause);
    CHECK(lab.sandbox().pid() == pause);
    CHECK(after.start_time == before.start_time);
    CHECK(after.state == 'S');  // not stopped either
    // And what shares the PID namespace goes on.
    CHECK(lab.run({"exit", "5"}).status.exit_code == 5);
}

TEST_CASE("pause reaps 200 orphans, and no zombie remains") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}));
    const auto first = exec(container, {"ids"});
    REQUIRE(exec(container, {"spawn-orphans", "200"}).out == "ok\n");
    const auto last = exec(container, {"ids"});
    // That many processes were in the pod, …
    CHECK(std::stol(last.at("/pid")) > std::stol(first.at("/pid")) + 200);
    // … and pause, to which all of them fell, has no child left, living or dead.
    CHECK(eventually([&] { return children_of(lab.sandbox().pid()) == 0; }));
    CHECK(eventually([&] { return processes_of("lab.pod").size() == 2; }));
}

TEST_CASE("pause has nothing that could be taken from it") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto& sandbox = lab.sandbox();
    const auto status = of_pause(sandbox, "status");
    CHECK(std::filesystem::is_empty(of_pause(sandbox, "root")));
    CHECK(std::filesystem::is_empty(of_pause(sandbox, "fd")));
    CHECK(std::filesystem::is_empty(of_pause(sandbox, "cwd")));
    // One mount, an empty tmpfs that cannot be written: id parent dev / / ro,… - tmpfs …
    const auto mounts = text_of(of_pause(sandbox, "mountinfo"));
    CHECK(std::count(mounts.begin(), mounts.end(), '\n') == 1);
    CHECK(mounts.find(" / / ro,nosuid,nodev,noexec") != std::string::npos);
    CHECK(mounts.find(" - tmpfs ") != std::string::npos);
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
        CHECK(status_line(status, set) == "0000000000000000");
    CHECK(status_line(status, "Uid") == "65535\t65535\t65535\t65535");
    CHECK(status_line(status, "Gid") == "65535\t65535\t65535\t65535");
    CHECK(status_line(status, "Groups").find_first_of("0123456789") == std::string::npos);
    CHECK(status_line(status, "NoNewPrivs") == "1");
    CHECK(status_line(status, "Seccomp") == "2");
    CHECK(status_line(status, "SigCgt") == "0000000000000000");
    CHECK(status_line(status, "Name") == "pause");
    CHECK(text_of(of_pause(sandbox, "cmdline")) == std::string("/pause\0", 7));
    CHECK(text_of(of_pause(sandbox, "environ")).empty());
    // proc(5): the files of a process that is not dumpable belong to root.
    struct stat file {};
    REQUIRE(::stat(status.c_str(), &file) == 0);
    CHECK(file.st_uid == 0);
}

TEST_CASE("a neighbour with SYS_PTRACE finds nothing behind pause") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto options = in_pod();
    options.add_capabilities = {"SYS_PTRACE"};
    CHECK(lab.run({"ls", "/proc/1/root"}, "{}", options).out == "[]\n");
    CHECK(lab.run({"ls", "/proc/1/fd"}, "{}", options).out == "[]\n");
    CHECK(lab.run({"write", "/proc/1/root/x", "x"}, "{}", options).out == "EROFS\n");
    CHECK(lab.run({"ls", "/proc/1/root/.."}, "{}", options).out == "[]\n");
}

TEST_CASE("a pause that is killed from the host takes the whole pod with it") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto joined = lab.start("joined", probe_bundle({"sleep", "forever"}));
    auto waiting = lab.create("waiting", probe_bundle({"sleep", "forever"}));
    auto alone =
        lab.start("alone", probe_bundle({"sleep", "forever"}), in_mode(PidMode::container));
    const auto pod = std::filesystem::path{"lab.pod"};
    REQUIRE(processes_of(pod).size() == 4);
    ::kill(lab.sandbox().pid(), SIGKILL);
    CHECK(eventually([&] { return lab.sandbox().pid() == 0; }));
    for (auto* container : {&joined, &alone, &waiting})
        CHECK(eventually([&] { return container->state() == "stopped"; }));
    CHECK(joined.wait(kLong)->signal == SIGKILL);
    CHECK(alone.wait(kLong)->signal == SIGKILL);
    CHECK(processes_of(pod).empty());
    CHECK(error_of([&] {
              (void)lab.create("late", probe_bundle({"exit", "0"}));
          }).code() == Code::sandbox_gone);
}

TEST_CASE("nothing of the pod's PID namespace survives its shim") {
    COVEY_REQUIRES("root");
    Lab lab;
    (void)lab.start("joined",
                    probe_bundle({"daemonise", "sleep", "forever", "--", "sleep", "forever"}));
    (void)lab.create("waiting", probe_bundle({"sleep", "forever"}));
    REQUIRE(eventually([&] { return processes_of("joined.ctr").size() == 2; }));
    const auto pause = sys::pidfd_open(lab.sandbox().pid()).or_throw("pidfd_open", "pause");
    ::kill(shim_of(lab.sandbox()), SIGKILL);
    CHECK(sys::wait_ended(pause, 20'000));
    CHECK(eventually([&] { return processes_of("lab.pod").empty(); }));
    CHECK(error_of([&] { (void)lab.sandbox().pid(); }).code() == Code::sandbox_gone);
}
