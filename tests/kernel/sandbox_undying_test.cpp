// The end of a container, an exec and a pod that hold processes whose first thread has ended, and
// what a container finds of the host's cgroups when it mounts them itself (lib/cgroup/killing.cpp,
// Group::create_everywhere).
#include "catch.hpp"
#include "cgroup/cgroup.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"

#include <fstream>
#include <tuple>

using namespace covey;
using namespace covey::test;

namespace {

/// No byte more for a while.
bool has_stopped_growing(const std::string& file) {
    const auto before = text_of(file).size();
    const timespec pause{0, 100'000'000};
    ::nanosleep(&pause, nullptr);
    return text_of(file).size() == before;
}

ContainerOptions writing_to(const std::string& file) {
    auto options = in_pod();
    options.stdout_ = "file:" + file;
    return options;
}

/// Its groups, line by line of /proc/PID/cgroup.
std::vector<std::string> groups_of(pid_t pid) {
    std::vector<std::string> groups;
    std::ifstream file{"/proc/" + std::to_string(pid) + "/cgroup"};
    for (std::string line; std::getline(file, line);)
        groups.push_back(line.substr(line.rfind(':') + 1));
    return groups;
}

/// As default capabilities have it: who maps uid 0 needs it (Linux 5.12).
const char* const kMayMapRoot = R"({"process":{"capabilities":{"bounding":["CAP_SETFCAP"],
    "effective":["CAP_SETFCAP"],"permitted":["CAP_SETFCAP"]}}})";

}  // namespace

TEST_CASE("a container whose first thread has ended is removed, and its processes with it") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto out = lab.folder() + "/out";
    auto container =
        lab.start("app", probe_bundle({"undying", "/proc/thread-self/fd/1"}), writing_to(out));
    REQUIRE(eventually([&] { return text_of(out).size() > 10; }));
    container.remove(true);
    CHECK(has_stopped_growing(out));
    CHECK(processes_of("app.ctr").empty());
}

TEST_CASE("one that an exec has left behind ends with its container, and with the pod") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto out = lab.folder() + "/out";
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}), writing_to(out));
    CHECK(exec(container, {"daemonise", "undying"}).status.exit_code == 0);
    REQUIRE(eventually([] { return processes_of("app.ctr").size() == 2; }));
    const bool by_pod = GENERATE(false, true);
    if (by_pod)
        lab.sandbox().remove();
    else
        container.remove(true);
    CHECK(processes_of("app.ctr").empty());
}

TEST_CASE("pause, a container and its execs are in groups of their own in every hierarchy") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}), in_pod());
    CHECK(exec(container, {"daemonise", "sleep", "forever"}).status.exit_code == 0);
    for (const auto& group : groups_of(lab.sandbox().pid())) {
        INFO(group);
        CHECK(group == "/covey/lab.pod/pause");
    }
    const auto processes = processes_of("app.ctr");
    REQUIRE(processes.size() == 2);
    for (const auto pid : processes)
        for (const auto& group : groups_of(pid)) {
            INFO(group);
            CHECK(group.starts_with("/covey/lab.pod/app.ctr"));
        }
    container.remove(true);
    const auto host = cgroup::detect();
    for (const auto& [name, mount] : host.v1)
        CHECK_FALSE(sys::open_dir(mount + "/covey/lab.pod/app.ctr"));
}

TEST_CASE("a hierarchy that a container mounts itself begins at its own group, without limits") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v1");
    Lab lab;
    for (const std::string type : {"freezer", "memory", "pids", "cpu", "devices"}) {
        const auto found =
            lab.run({"own-cgroups", type, "/tmp", "ls", "/tmp", "--", "exit", "0"}, kMayMapRoot);
        INFO(type << ": " << found.out << found.err);
        CHECK(found.out.find("covey") == std::string::npos);
        CHECK(found.out.find("lab.pod") == std::string::npos);
        CHECK(found.out.find("tasks") != std::string::npos);
    }
}

TEST_CASE("a container that mounts its own cgroup lifts none of its limits") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v1");
    Lab lab;
    const auto out = lab.folder() + "/out";
    const auto limited =
        R"({"linux":{"resources":{"pids":{"limit":33},"memory":{"limit":67108864}}},
            "process":{"capabilities":{"bounding":["CAP_SETFCAP"],"effective":["CAP_SETFCAP"],
                "permitted":["CAP_SETFCAP"]}}})";
    const auto [type, file, limit, none] =
        GENERATE(std::tuple{"pids", "pids.max", "33\n", "max"},
                 std::tuple{"memory", "memory.limit_in_bytes", "67108864\n", "-1"});
    INFO(type);
    const auto own = std::string{"/tmp/"} + file;
    // What it may write is a group below the one that limits it.
    auto container = lab.start("app",
                               probe_bundle({"own-cgroups", type, "/tmp", "write", own, none, "--",
                                             "read", own, "--", "sleep", "forever"},
                                            limited),
                               writing_to(out));
    // The answer of the write, and what it reads then.
    REQUIRE(eventually([&] { return text_of(out).ends_with("\n"); }));
    INFO(text_of(out));
    CHECK(text_of(out).starts_with("ok\n"));
    const auto host = cgroup::detect();
    CHECK(text_of(host.v1.at(type) + "/covey/lab.pod/app.ctr/" + file) == limit);
}
