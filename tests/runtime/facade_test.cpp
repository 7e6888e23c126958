// covey::Sandbox and covey::Container as a program that links libcovey uses them.
#include "facade.hpp"

#include "catch.hpp"
#include "support/requires.hpp"

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace covey;
using namespace covey::test;

namespace {

ContainerOptions in_pod() {
    ContainerOptions options;
    options.pid_mode = PidMode::pod;
    return options;
}

std::string text_of(const std::string& path) {
    std::ifstream file{path};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::uint64_t inode_of(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

Code code_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        INFO(error.detail());
        CHECK_FALSE(error.detail().empty());
        return error.code();
    }
    FAIL("nothing thrown");
    return Code::internal;
}

}  // namespace

TEST_CASE("a container's life by the library: created, running, stopped, gone") {
    COVEY_REQUIRES("root");
    Pod pod;
    auto sandbox = pod.create("facade");
    CHECK(sandbox.id() == "facade");
    REQUIRE(sandbox.pid() > 0);
    for (const char* type : {"pid", "net", "ipc", "uts"})
        CHECK(inode_of(sandbox.namespace_path(type)) ==
              inode_of("/proc/" + std::to_string(sandbox.pid()) + "/ns/" + type));

    const auto bundle = Bundle::probe({"ids", "--", "exit", "7"});
    auto options = in_pod();
    options.stdout_ = "file:" + pod.root() + "/out";
    auto container = sandbox.create_container("nginx", bundle.path(), options);
    CHECK(container.state() == "created");
    CHECK(container.pid() > 0);
    CHECK(container.pod_pid() > 1);
    container.start();
    const auto status = container.wait(kLong);
    REQUIRE(status.has_value());
    CHECK(status->exit_code == 7);
    CHECK(status->signal == 0);
    CHECK(status->exited_at > 1'600'000'000'000'000);
    CHECK(container.state() == "stopped");
    CHECK(container.pid() == 0);
    CHECK(text_of(pod.root() + "/out").find("\"pid\"") != std::string::npos);
    CHECK(container.wait(kLong)->exit_code == 7);  // and again
    container.remove();
    CHECK(code_of([&] { (void)sandbox.container("nginx"); }) == Code::not_found);
    sandbox.remove();
    CHECK_FALSE(std::filesystem::exists(pod.root() + "/sandboxes/facade"));
    CHECK_NOTHROW(sandbox.remove());
}

TEST_CASE("an exec gets the caller's streams and gives its exit status") {
    COVEY_REQUIRES("root");
    Pod pod;
    auto sandbox = pod.create("facade");
    const Bundle bundle;
    auto container = sandbox.create_container("app", bundle.path(), in_pod());
    container.start();
    std::array<int, 2> pipe{};
    REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    ExecOptions exec;
    exec.args = {"/bin/probe", "echo", "hello", "--", "exit", "3"};
    exec.stdout_fd = pipe[1];
    const auto status = container.exec(exec);
    ::close(pipe[1]);
    std::array<char, 64> text{};
    CHECK(::read(pipe[0], text.data(), text.size()) == 6);
    CHECK(std::string{text.data()} == "hello\n");
    ::close(pipe[0]);
    CHECK(status.exit_code == 3);
    exec.args = {"/bin/no-such-program"};
    exec.stdout_fd = -1;
    CHECK(code_of([&] { (void)container.exec(exec); }) == Code::not_found);
    sandbox.remove();
}

TEST_CASE("wait in one thread does not hold up kill in another") {
    COVEY_REQUIRES("root");
    Pod pod;
    auto sandbox = pod.create("facade");
    const Bundle bundle;
    auto container = sandbox.create_container("app", bundle.path(), in_pod());
    container.start();
    CHECK_FALSE(container.wait(std::chrono::milliseconds{20}).has_value());
    std::optional<ExitStatus> status;
    std::thread waiter{[&] { status = container.wait(kLong); }};
    container.kill(SIGTERM);
    waiter.join();
    REQUIRE(status.has_value());
    CHECK(status->signal == SIGTERM);
    CHECK(status->exit_code == 128 + SIGTERM);
    sandbox.remove();
}

TEST_CASE("another handle finds the pod, and remove ends what runs") {
    COVEY_REQUIRES("root");
    Pod pod;
    const Bundle bundle;
    auto sandbox = pod.create("facade");
    sandbox.create_container("app", bundle.path(), in_pod()).start();
    sandbox.create_container("alone", bundle.path(), {}).start();
    auto other = Sandbox::open("facade", pod.root());
    CHECK(other.pid() == sandbox.pid());
    auto container = other.container("app");
    CHECK(container.state() == "running");
    CHECK(code_of([&] { container.remove(); }) == Code::failed_precondition);
    container.remove(true);
    CHECK_NOTHROW(container.remove(true));
    other.stop();
    CHECK(sandbox.pid() == 0);
    CHECK(other.container("alone").state() == "stopped");
    CHECK_NOTHROW(sandbox.stop());
    sandbox.remove();
    CHECK_NOTHROW(other.remove());
    CHECK(code_of([&] { (void)Sandbox::open("facade", pod.root()); }) == Code::not_found);
}

TEST_CASE("capabilities and a namespace of the host are as asked") {
    COVEY_REQUIRES("root");
    Pod pod;
    pod.options().namespaces["net"] = "host";
    pod.options().hostname = "covey-test";
    auto sandbox = pod.create("facade");
    const auto bundle = Bundle::probe({"state"});
    auto options = in_pod();
    options.add_capabilities = {"sys_ptrace"};
    options.drop_capabilities = {"CAP_KILL"};
    options.stdout_ = "file:" + pod.root() + "/out";
    auto container = sandbox.create_container("app", bundle.path(), options);
    container.start();
    REQUIRE(container.wait(kLong).has_value());
    const auto state = text_of(pod.root() + "/out");
    INFO(state);
    CHECK(state.find("covey-test") != std::string::npos);
    CHECK(state.find(std::to_string(inode_of("/proc/self/ns/net"))) != std::string::npos);
    CHECK(code_of([&] { (void)sandbox.namespace_path("net"); }) == Code::not_found);
    sandbox.remove();
}
