// What a container without any capability puts on its shim, whose child its main process is: the
// shim bears it, and the pod ends as any other.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <algorithm>
#include <chrono>

using namespace covey;
using namespace covey::test;

namespace {

constexpr auto kNoCapabilities = R"({"process":{"capabilities":
    {"bounding":[],"effective":[],"permitted":[],"inheritable":[],"ambient":[]}}})";

std::size_t zombies_of(pid_t parent) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto all = sys::list_processes(proc).or_throw("list", "/proc");
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](pid_t pid) {
        const auto stat = sys::read_stat(proc, pid);
        return stat && stat.value().ppid == parent && stat.value().state == 'Z';
    }));
}

double seconds_of(const std::function<void()>& action) {
    const auto began = std::chrono::steady_clock::now();
    action();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

ContainerOptions said_to(const Lab& lab, PidMode mode) {
    auto options = in_mode(mode);
    options.stdout_ = "file:" + lab.folder() + "/said";
    return options;
}

}  // namespace

TEST_CASE("zombies that a container makes its shim's are reaped while it runs") {
    COVEY_REQUIRES("root");
    for (const auto mode : {PidMode::pod, PidMode::nested}) {
        Lab lab;
        auto burden = lab.start("burden", probe_bundle({"burden", "500"}, kNoCapabilities),
                                said_to(lab, mode));
        REQUIRE(eventually([&] { return text_of(lab.folder() + "/said") == "made\n"; }));
        CHECK(eventually([&] { return zombies_of(shim_of(lab.sandbox())) == 0; }));
        CHECK(seconds_of([&] { burden.remove(true); }) < 5);
        CHECK(seconds_of([&] { lab.sandbox().stop(); }) < 5);
    }
}

TEST_CASE("an exec's burden does not keep its container or its pod from ending") {
    COVEY_REQUIRES("root");
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container}) {
        Lab lab;
        auto container =
            lab.start("quiet", probe_bundle({"sleep", "forever"}, kNoCapabilities), in_mode(mode));
        ExecOptions options;
        options.args = {"/bin/probe", "burden", "20"};
        [[maybe_unused]] const auto exec = container.exec(options);
        CHECK(eventually([&] {
            return zombies_of(shim_of(lab.sandbox())) == 0 && processes_of("quiet.ctr").size() >= 2;
        }));
        CHECK(seconds_of([&] { container.remove(true); }) < 5);
        CHECK(seconds_of([&] { lab.sandbox().stop(); }) < 5);
    }
}

TEST_CASE("a thread that makes the shim its tracer is let go, and keeps nothing from ending") {
    COVEY_REQUIRES("root");
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container}) {
        Lab lab;
        auto traced = lab.start("traced", probe_bundle({"traced-thread"}, kNoCapabilities),
                                said_to(lab, mode));
        CHECK(
            eventually([&] { return text_of(lab.folder() + "/said") == "ok\nwent on\njoined\n"; }));
        CHECK(seconds_of([&] { traced.remove(true); }) < 5);
        CHECK(seconds_of([&] { lab.sandbox().stop(); }) < 5);
    }
}
