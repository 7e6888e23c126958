// Pods and containers that come and go: many in a row, a client that leaves in the middle, members
// of one PID namespace that end.
#include "catch.hpp"
#include "core/client.hpp"
#include "core/protocol.hpp"
#include "core/shim_process.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <csignal>
#include <filesystem>

#include <poll.h>

using namespace covey;
using namespace covey::test;

namespace {

core::ContainerConfig container_config(const Lab& lab, const std::string& id) {
    core::ContainerConfig config;
    config.id = id;
    config.bundle = lab.bundle().path();
    config.pid_mode = spec::PidMode::pod;
    return config;
}

/// Asks, waits so long, and is gone before the answer.
void create_and_leave(const Lab& lab, const std::string& id, int milliseconds) {
    const auto folder = sys::open_dir(lab.state()).or_throw("open", lab.state());
    const auto connection = core::connect_shim(folder);
    sys::send_packet(connection, core::encode(core::Request{
                                     1, core::CreateContainer{container_config(lab, id)}}))
        .or_throw("send", "request");
    pollfd entry{connection.get(), POLLIN, 0};
    (void)::poll(&entry, 1, milliseconds);
}

std::string state_of(Lab& lab, const std::string& id) {
    try {
        return lab.sandbox().container(id).state();
    } catch (const Error& error) {
        return std::string{code_name(error.code())};
    }
}

bool has_folder(const Lab& lab, const std::string& id) {
    return std::filesystem::exists(lab.state() + "/containers/" + id);
}

}  // namespace

TEST_CASE("twenty pods in a row leave nothing") {
    COVEY_REQUIRES("root");
    for (int i = 0; i < 20; ++i) {
        Pod pod;
        auto sandbox = pod.create("row-" + std::to_string(i));
        CHECK(sandbox.pid() > 0);
        sandbox.remove();
        CHECK_FALSE(std::filesystem::exists(pod.root() + "/sandboxes/row-" + std::to_string(i)));
    }
}

TEST_CASE("a shim refuses a second sandbox and goes on with its own") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto folder = sys::open_dir(lab.state()).or_throw("open", lab.state());
    core::ShimClient client{core::connect_shim(folder)};
    const auto error = error_of([&] {
        core::SandboxConfig config;
        config.id = "second";
        (void)client.call(core::CreateSandbox{config}, kLong);
    });
    CHECK(error.code() == Code::already_exists);
    CHECK(error.detail().find("'lab'") != std::string::npos);
    CHECK(lab.run({"exit", "0"}).status.exit_code == 0);
}

TEST_CASE("a client that leaves in the middle of a create leaves a complete container or none") {
    COVEY_REQUIRES("root");
    Lab lab;
    lab.bundle().configure(probe_bundle({"exit", "3"}));
    for (const int wait : {0, 1, 3, 10}) {
        const auto id = "left-" + std::to_string(wait);
        create_and_leave(lab, id, wait);
        // Until then it is nobody's business; its folder tells that the shim has heard of it.
        REQUIRE(eventually([&] { return state_of(lab, id) != "not_found"; }));
        CHECK(state_of(lab, id) == "created");
        auto container = lab.sandbox().container(id);
        CHECK(container.pid() > 0);
        container.start();
        CHECK(container.wait(kLong)->exit_code == 3);
        container.remove();
    }
    lab.bundle().configure({.args = {"/no/such/program"}});
    for (const int wait : {0, 1, 3, 10}) {
        const auto id = "failed-" + std::to_string(wait);
        create_and_leave(lab, id, wait);
        // A request that is answered after that one: the failed launch was begun before it.
        CHECK(state_of(lab, "lab") == "not_found");
        CHECK(eventually([&] { return !has_folder(lab, id); }));
        CHECK(state_of(lab, id) == "not_found");
        CHECK(processes_of(id + ".ctr").empty());
    }
}

TEST_CASE("removing a pod in the middle of a create leaves nothing") {
    COVEY_REQUIRES("root");
    for (const int wait : {0, 1, 2, 4, 8}) {
        Lab lab;
        lab.bundle().configure(probe_bundle({"sleep", "forever"}));
        create_and_leave(lab, "half", wait);
        lab.sandbox().remove();
        CHECK(processes_of("lab.pod").empty());
        CHECK_FALSE(std::filesystem::exists(lab.state()));
    }
}

TEST_CASE("the end of an init is the end of its container and of nobody else") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto family = probe_bundle({"daemonise", "sleep", "forever", "--", "daemonise", "sleep",
                                      "forever", "--", "echo", "ready", "--", "sleep", "forever"});
    const auto start = [&](const std::string& id) {
        auto options = in_pod();
        options.stdout_ = "file:" + lab.folder() + "/" + id;
        auto container = lab.start(id, family, options);
        REQUIRE(eventually([&] { return text_of(lab.folder() + "/" + id) == "ready\n"; }));
        return container;
    };
    auto dying = start("dying");
    auto sibling = start("sibling");
    const auto family_of = [](const char* id) { return processes_of(std::string{id} + ".ctr"); };
    REQUIRE(family_of("dying").size() == 3);
    REQUIRE(family_of("sibling").size() == 3);
    const auto others = family_of("sibling");
    // All six are in one PID namespace.
    for (const auto pid : others)
        CHECK(namespace_of(pid, "pid") == namespace_of(dying.pid(), "pid"));
    dying.kill(SIGKILL);
    const auto status = dying.wait(kLong);
    REQUIRE(status.has_value());
    CHECK(status->signal == SIGKILL);
    CHECK(family_of("dying").empty());
    CHECK(family_of("sibling") == others);
    CHECK(sibling.state() == "running");
    CHECK(exec(sibling, {"exit", "4"}).status.exit_code == 4);
}

TEST_CASE("a container's execs end with it") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}));
    // The exec itself ends at once; what it left behind belongs to the container.
    CHECK(exec(container, {"daemonise", "sleep", "forever"}).status.exit_code == 0);
    CHECK(processes_of("app.ctr").size() == 2);
    container.kill(SIGKILL);
    REQUIRE(container.wait(kLong).has_value());
    CHECK(processes_of("app.ctr").empty());
}
