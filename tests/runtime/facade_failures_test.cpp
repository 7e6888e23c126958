// What goes wrong with a façade's sandbox leaves nothing behind (each case ends with a leak check).
#include "catch.hpp"
#include "facade.hpp"
#include "support/requires.hpp"
#include "support/run_program.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include <sys/wait.h>

using namespace covey;
using namespace covey::test;

namespace {

Error error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    FAIL("nothing thrown");
    return Error(Code::internal, "");
}

bool has_state(const Pod& pod, const std::string& id) {
    return std::filesystem::exists(pod.root() + "/sandboxes/" + id);
}

/// The parent of pause is its shim.
pid_t shim_of(const Sandbox& sandbox) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    return sys::read_stat(proc, sandbox.pid()).or_throw("read stat", "pause").ppid;
}

}  // namespace

TEST_CASE("bad options are refused by name before anything is made") {
    COVEY_REQUIRES("root");
    Pod pod;
    const auto refused = [&](const std::function<void(SandboxOptions&)>& change) {
        SandboxOptions options;
        options.state_root = pod.root();
        change(options);
        auto error = error_of([&] { (void)Sandbox::create("facade", options); });
        CHECK(error.code() == Code::invalid_argument);
        CHECK_FALSE(has_state(pod, "facade"));
        return error.detail();
    };
    CHECK(refused([](auto& o) { o.namespaces["nett"] = "new"; }).find("did you mean 'net'") !=
          std::string::npos);
    CHECK(refused([](auto& o) { o.namespaces["net"] = "mine"; }).find("'mine'") !=
          std::string::npos);
    (void)refused([](auto& o) { o.namespaces["net"] = "/proc/self/ns/uts"; });
    (void)refused([](auto& o) { o.cgroup_parent = "covey"; });
    (void)refused([](auto& o) { o.cgroup_parent = "/a/../b"; });
    (void)refused([](auto& o) { o.state_root = "relative"; });
    for (const char* id : {"", ".", "..", "a/b", "-x"})
        CHECK(error_of([&] { (void)Sandbox::create(id, pod.options()); }).code() ==
              Code::invalid_argument);
}

TEST_CASE("the same id twice is refused, and the first pod is not touched") {
    COVEY_REQUIRES("root");
    Pod pod;
    Pod elsewhere;
    auto sandbox = pod.create("facade");
    const auto pid = sandbox.pid();
    CHECK(error_of([&] { (void)pod.create("facade"); }).code() == Code::already_exists);
    // Another state root, the same cgroup.
    CHECK(error_of([&] { (void)elsewhere.create("facade"); }).code() == Code::already_exists);
    CHECK_FALSE(has_state(elsewhere, "facade"));
    CHECK(sandbox.pid() == pid);
    const Bundle bundle;
    auto container = sandbox.create_container("app", bundle.path(), {});
    CHECK(error_of([&] { (void)sandbox.create_container("app", bundle.path(), {}); }).code() ==
          Code::already_exists);
    CHECK(container.state() == "created");
    sandbox.remove();
}

TEST_CASE("a container that cannot be made is refused by name and leaves nothing") {
    COVEY_REQUIRES("root");
    Pod pod;
    auto sandbox = pod.create("facade");
    const auto refused = [&](const std::string& bundle, const ContainerOptions& options) {
        return error_of([&] { (void)sandbox.create_container("app", bundle, options); });
    };
    CHECK(refused("bundle", {}).code() == Code::invalid_argument);
    CHECK(refused("/no/such/bundle", {}).detail().find("/no/such/bundle") != std::string::npos);
    const Bundle bundle;
    ContainerOptions options;
    options.add_capabilities = {"SYS_PTRAC"};
    CHECK(refused(bundle.path(), options).detail().find("SYS_PTRACE") != std::string::npos);
    bundle.configure({.args = {"/bin/probe"}, .patch = R"({"process":{"cwd":7}})"});
    CHECK(refused(bundle.path(), {}).code() == Code::invalid_spec);
    CHECK(std::filesystem::is_empty(pod.root() + "/sandboxes/facade/containers"));
    sandbox.remove();
}

TEST_CASE("a pod whose shim was killed is found to be gone, and can be removed") {
    COVEY_REQUIRES("root");
    Pod pod;
    const Bundle bundle;
    auto sandbox = pod.create("facade");
    auto container = sandbox.create_container("app", bundle.path(), {});
    container.start();
    const auto pause = sys::pidfd_open(sandbox.pid()).or_throw("pidfd_open", "pause");
    ::kill(shim_of(sandbox), SIGKILL);
    CHECK(error_of([&] { (void)container.wait(kLong); }).code() == Code::sandbox_gone);
    const auto gone = error_of([&] { (void)Sandbox::open("facade", pod.root()); });
    CHECK(gone.code() == Code::sandbox_gone);
    CHECK(gone.fix().find("discard") != std::string::npos);
    CHECK(error_of([&] { (void)pod.create("facade"); }).code() == Code::already_exists);
    sandbox.remove();
    CHECK(sys::wait_ended(pause, 5000));
    CHECK_FALSE(has_state(pod, "facade"));
}

TEST_CASE("discard removes what a dead process and its dead shim have left") {
    COVEY_REQUIRES("root");
    Pod pod;
    pid_t shim = 0;
    {
        auto sandbox = pod.create("facade");
        shim = shim_of(sandbox);
        ::kill(shim, SIGKILL);
    }
    Sandbox::discard("facade", pod.root());
    CHECK_FALSE(has_state(pod, "facade"));
    CHECK_NOTHROW(Sandbox::discard("facade", pod.root()));
    ::waitpid(shim, nullptr, 0);  // its handle is gone, so nobody reaped it
}

TEST_CASE("a program that ended leaves its pod, which another opens and removes") {
    COVEY_REQUIRES("root");
    Pod pod;
    ::setenv("COVEY_TEST_ROOT", pod.root().c_str(), 1);
    const auto run = run_self("[leaves-a-pod]");
    INFO(run.output);
    auto sandbox = Sandbox::open("facade", pod.root());
    CHECK(sandbox.pid() > 0);
    sandbox.remove();
    CHECK_FALSE(has_state(pod, "facade"));
}

TEST_CASE("creates a pod and ends", "[.][leaves-a-pod]") {
    SandboxOptions options;
    options.state_root = std::getenv("COVEY_TEST_ROOT");
    // The shim inherits stderr and lives on: run_self() would wait for it.
    if (std::freopen("/dev/null", "w", stderr) == nullptr) std::_Exit(1);
    (void)Sandbox::create("facade", options);
    std::_Exit(0);  // before the leak check, which is the caller's
}

TEST_CASE("a create that fails at any step leaves nothing") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    for (const char* step :
         {"core.spawn_shim:1", "core.create_sandbox:1", "core.pin:1", "core.pin:3",
          "sandbox.cgroup:1", "sandbox.clone:1", "sandbox.facts:1"}) {
        const auto run = run_self("[fails-to-create]", {{"COVEY_FAIL_AT", step}});
        INFO(step << "\n" << run.output);
        CHECK(run.status == 0);
    }
}

TEST_CASE("fails to create a pod and leaves nothing", "[.][fails-to-create]") {
    const Pod pod;
    SandboxOptions options;
    options.state_root = pod.root();
    std::string detail;
    try {
        (void)Sandbox::create("facade", options);
    } catch (const Error& error) {
        detail = error.detail();
    }
    CHECK(detail.find("injected fault") != std::string::npos);
    CHECK_FALSE(has_state(pod, "facade"));
    CHECK_FALSE(std::filesystem::exists("/sys/fs/cgroup/unified/covey/facade.pod"));
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // the shim was reaped
}
