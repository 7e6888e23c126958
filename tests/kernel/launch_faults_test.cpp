// Fault injection: every named step of a sandbox's creation, of a launch and of an exec fails once.
// The operation then fails with an error that names the step, and nothing of it is left.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"
#include "support/run_program.hpp"
#include "sys/proc.hpp"

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>

using namespace covey;
using namespace covey::test;

namespace {

namespace fs = std::filesystem;

// By what a fault there makes fail. The last case compares these with the source.
const std::set<std::string> kSandboxSteps{
    "core.create_sandbox", "core.pin",      "core.spawn_shim",    "sandbox.cgroup", "sandbox.clone",
    "sandbox.drop",        "sandbox.facts", "sandbox.namespaces", "sandbox.root"};
const std::set<std::string> kCreateSteps{
    "container.cgroup",   "container.clone", "container.folder", "init.start",
    "launch.attach_root", "launch.prepared", "launch.build",     "launch.cgroup",
    "launch.clone",       "launch.cut",      "launch.drop",      "launch.mount",
    "launch.namespaces",  "launch.open",     "launch.pivot",     "launch.read",
    "launch.root",        "launch.source"};
/// In mode nested alone.
const std::set<std::string> kNestedSteps{"container.freeze", "container.freeze_strangers",
                                         "nested.between", "nested.dropped", "nested.freeze"};
/// With restricted access alone.
const std::set<std::string> kAccessSteps{"launch.domain"};
/// With another container's root to be seen: sharing_view_test.cpp.
const std::set<std::string> kViewSteps{"launch.show_root"};
/// Of a pod in a user namespace: userns_pod_test.cpp. Of a change of limits:
/// tests/api/test_update.py.
const std::set<std::string> kOtherSteps{"container.update", "sandbox.told", "sandbox.user",
                                        "shim.record"};
const std::set<std::string> kStartSteps{"init.exec"};
const std::set<std::string> kExecSteps{"exec.prepared",  "exec.cgroup",        "exec.clone",
                                       "exec.compile",   "exec.create_cgroup", "exec.drop",
                                       "exec.namespaces"};

/// With something of every kind: a bind mount, a terminal, limits, masked paths.
constexpr const char* kPatch = R"({"process":{"terminal":true},
    "linux":{"resources":{"pids":{"limit":50}}}})";

/// Set while a shim is spawned, to which it goes. (This process has looked at it before, and so is
/// not concerned.)
class FailAt {
  public:
    explicit FailAt(const std::string& step) { ::setenv("COVEY_FAIL_AT", step.c_str(), 1); }
    FailAt(const FailAt&) = delete;
    FailAt& operator=(const FailAt&) = delete;
    ~FailAt() { ::unsetenv("COVEY_FAIL_AT"); }
};

bool names(const Error& error, const std::string& step) {
    return error.detail().find("injected fault at " + step) != std::string::npos;
}

/// Children of a shim of ours that nobody has reaped. One in the pod's PID namespace keeps pause
/// from ending, and with it the sandbox. Seen so where init failed before its parent knew of it.
std::vector<pid_t> zombies_of_shim() {
    std::vector<pid_t> found;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    for (const auto pid : sys::list_processes(proc).or_throw("list", "processes")) {
        const auto stat = sys::read_stat(proc, pid);
        if (!stat || stat.value().state != 'Z') continue;
        const auto above = sys::read_stat(proc, stat.value().ppid);
        if (above && above.value().comm == "covey-shim") found.push_back(pid);
    }
    return found;
}

/// The pod's group in a v1 hierarchy, made for the sake of a container's limits, goes with the pod.
void check_nothing_new(const Snapshot& before, const std::vector<pid_t>& processes) {
    CHECK(eventually([&] { return processes_of("lab.pod") == processes; }));
    auto now = take_snapshot();
    std::erase_if(now.cgroups, [](const auto& path) { return path.ends_with("/lab.pod"); });
    for (const auto& mount : now.mounts)
        if (mount.find("/covey-test-") != std::string::npos)
            CHECK_THAT(before.mounts, Catch::Matchers::VectorContains(mount));
    CHECK(now.descriptors == before.descriptors);
    CHECK(eventually([] { return zombies_of_shim().empty(); }));
    for (const auto& path : now.cgroups)
        if (path.find("/lab.pod/") != std::string::npos && !path.ends_with("/pause"))
            CHECK_THAT(before.cgroups, Catch::Matchers::VectorContains(path));
}

/// Of a container whose access is restricted a spawner lives on, outside the pod's groups.
void check_shim_has_pause_alone(Lab& lab) {
    const auto shim = shim_of(lab.sandbox());
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    CHECK(eventually([&] {
        std::vector<pid_t> children;
        for (const auto pid : sys::list_processes(proc).or_throw("list", "processes"))
            if (const auto stat = sys::read_stat(proc, pid); stat && stat.value().ppid == shim)
                children.push_back(pid);
        return children == std::vector{lab.sandbox().pid()};
    }));
}

void check_no_container_left(Lab& lab) {
    check_shim_has_pause_alone(lab);
    CHECK(fs::is_empty(lab.state() + "/containers"));
    CHECK(error_of([&] { (void)lab.sandbox().container("refused"); }).code() == Code::not_found);
    CHECK(processes_of("refused.ctr").empty());
}

ContainerOptions privately(PidMode mode) {
    auto options = in_mode(mode);
    options.access = "private";
    return options;
}

void check_failing_create(const std::string& step, const ContainerOptions& options) {
    const FailAt fault{step + ":1"};
    Lab lab;
    const auto bind = lab.folder() + "/bind";
    fs::create_directory(bind);
    fs::create_directory(lab.state() + "/containers");
    const std::string mount = R"({"process":{"terminal":true},"mounts":[
        {"destination":"/proc","type":"proc"},
        {"destination":"/dev","type":"tmpfs"},
        {"destination":"/dev/pts","type":"devpts","options":["newinstance","ptmxmode=0666"]},
        {"destination":"/data","type":"none","source":")" +
                              bind + R"(","options":["bind"]}],"root":{"readonly":false}})";
    const auto before = take_snapshot();
    const auto processes = processes_of("lab.pod");
    const auto error = lab.refused(probe_bundle({"exit", "0"}, mount), options);
    INFO(step << ": " << error.detail());
    CHECK(names(error, step));
    check_no_container_left(lab);
    check_nothing_new(before, processes);
    CHECK(lab.sandbox().pid() > 0);
}

void check_failing_exec(const std::string& step, const ContainerOptions& options) {
    const FailAt fault{step + ":1"};
    Lab lab;
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}), options);
    const auto before = take_snapshot();
    const auto processes = processes_of("lab.pod");
    const auto error = error_of([&] { (void)exec(container, {"exit", "0"}); });
    INFO(step << ": " << error.detail());
    CHECK(names(error, step));
    check_nothing_new(before, processes);
    CHECK(processes_of("app.ctr").size() == 1);
    CHECK(container.state() == "running");
}

}  // namespace

TEST_CASE("a fault at any step of a sandbox's creation leaves nothing") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    for (const auto& step : kSandboxSteps) {
        // In a program of its own: some of the steps are the library's.
        const auto run = run_self("[fails-to-create-a-sandbox]", {{"COVEY_FAIL_AT", step + ":1"}});
        INFO(step << "\n" << run.output);
        CHECK(run.status == 0);
    }
}

TEST_CASE("fails to create a sandbox", "[.][fails-to-create-a-sandbox]") {
    use_built_programs();
    const std::string wanted = std::getenv("COVEY_FAIL_AT");
    Pod pod;
    const auto error = error_of([&] { pod.create("faulty").remove(); });
    INFO(error.detail());
    CHECK(names(error, wanted.substr(0, wanted.find(':'))));
    CHECK(fs::is_empty(pod.root() + "/sandboxes"));
}

TEST_CASE("a fault at any step of a create leaves nothing, and the sandbox goes on") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    for (const auto& step : kCreateSteps)
        for (const auto mode : {PidMode::pod, PidMode::container, PidMode::nested})
            check_failing_create(step, in_mode(mode));
    for (const auto& step : kNestedSteps)
        check_failing_create(step, in_mode(PidMode::nested));
}

// What fails after launch.domain leaves a spawner to be ended.
TEST_CASE("a fault at any step of a private container's create leaves nothing") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    COVEY_REQUIRES("landlock_scope");
    for (const auto mode : {PidMode::pod, PidMode::container, PidMode::nested})
        for (const auto& step : kAccessSteps)
            check_failing_create(step, privately(mode));
    for (const auto& step : kCreateSteps)
        check_failing_create(step, privately(PidMode::pod));
    for (const auto& step : kNestedSteps)
        check_failing_create(step, privately(PidMode::nested));
}

TEST_CASE("a fault at any of the mount operations leaves nothing") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    for (const auto mode : {PidMode::pod, PidMode::container, PidMode::nested}) {
        int number = 1;
        for (bool failed = true; failed; ++number) {
            const FailAt fault{"launch.mount:" + std::to_string(number)};
            Lab lab;
            fs::create_directory(lab.state() + "/containers");
            const auto before = take_snapshot();
            const auto processes = processes_of("lab.pod");
            const auto error = lab.refused(probe_bundle({"exit", "0"}, kPatch), in_mode(mode));
            INFO("mount " << number << ": " << error.detail());
            failed = error.detail() != "nothing was thrown";
            if (failed) {
                CHECK(names(error, "launch.mount"));
                CHECK(error.detail().find("mount op") != std::string::npos);
            }
            check_no_container_left(lab);
            check_nothing_new(before, processes);
            REQUIRE(number < 100);
        }
        CHECK(number > 20);  // the operations of the usual bundle
    }
}

TEST_CASE("a fault at any step of a start ends the container, which says so") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    for (const auto& step : kStartSteps) {
        const FailAt fault{step + ":1"};
        Lab lab;
        const auto before = take_snapshot();
        const auto processes = processes_of("lab.pod");
        auto container = lab.create("app", probe_bundle({"exit", "0"}, kPatch));
        const auto error = error_of([&] { container.start(); });
        INFO(error.detail());
        CHECK(names(error, step));
        CHECK(container.wait(kLong)->exit_code == 1);
        container.remove();
        CHECK(processes_of("app.ctr").empty());
        check_nothing_new(before, processes);
    }
}

TEST_CASE("a fault at any step of an exec leaves the container as it was") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    for (const auto& step : kExecSteps)
        check_failing_exec(step, in_pod());
}

TEST_CASE("a fault at any step of an exec by a private container's spawner leaves it as it was") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    COVEY_REQUIRES("landlock_scope");
    for (const auto& step : kExecSteps)
        check_failing_exec(step, privately(PidMode::pod));
}

TEST_CASE("every fault point of the source is in the tables above") {
    std::set<std::string> known;
    for (const auto* steps : {&kSandboxSteps, &kCreateSteps, &kNestedSteps, &kAccessSteps,
                              &kViewSteps, &kOtherSteps, &kStartSteps, &kExecSteps})
        known.insert(steps->begin(), steps->end());
    std::set<std::string> found;
    const std::regex call{R"rx(fault_point\("([^"]+)"\))rx"};
    for (const char* folder : {"launch", "task", "shim", "core"})
        for (const auto& entry :
             fs::directory_iterator{std::string{COVEY_SOURCE_DIR} + "/lib/" + folder}) {
            const auto text = text_of(entry.path());
            for (std::sregex_iterator at{text.begin(), text.end(), call}, end; at != end; ++at)
                found.insert((*at)[1]);
        }
    CHECK(found == known);
}
