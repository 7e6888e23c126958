#include "catch.hpp"
#include "sys/file.hpp"
#include "unit/engine/world.hpp"

#include <array>

#include <unistd.h>

using namespace covey;
using namespace covey::test;
using Lines = std::vector<std::string>;

namespace {

struct Running {
    World world;
    Daemon daemon{world};
    Running() {
        daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
        daemon.run(daemon.engine.create_container(container_action("nginx", "web")));
        daemon.run(daemon.engine.start_container("nginx"));
    }
    std::unique_ptr<daemon::ExecSession> exec() {
        daemon::ExecAction action;
        action.container = "nginx";
        action.command = {"true"};
        return daemon.run(daemon.engine.exec(action));
    }
};

std::string read_some(FdRef fd) {
    std::array<char, 64> buffer{};
    const auto got = ::read(fd.get(), buffer.data(), buffer.size());
    return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string{};
}

}  // namespace

TEST_CASE("an exec's streams join the caller with the process, and its exit is told") {
    Running pod;
    const auto session = pod.exec();
    const auto name = session->facts().exec;
    auto& theirs = pod.world.shim("web").exec_fds.at(name);
    REQUIRE(theirs.size() == 3);
    const auto input = session->take_input();
    const auto output = session->take_output();
    sys::write_all(input, "question").or_throw("write");
    CHECK(read_some(theirs[0]) == "question");
    sys::write_all(theirs[1], "answer").or_throw("write");
    CHECK(read_some(output) == "answer");
    CHECK(session->take_error().valid());

    auto waiting = pod.daemon.begin(session->wait());
    pod.world.shim("web").end_exec("nginx", name, 4);
    CHECK(pod.daemon.finish(waiting).exit_code == 4);
    CHECK(read_some(output).empty());
    CHECK(pod.daemon.event_lines(4) == Lines{"exec.started nginx", "exec.exited nginx"});
    CHECK(pod.daemon.event_records(4)[1].exec == name);
}

TEST_CASE("a dropped exec is killed, one that has ended is left alone") {
    Running pod;
    auto session = pod.exec();
    session.reset();
    pod.daemon.settle();
    CHECK(pod.world.shim("web").execs.empty());
    CHECK(pod.world.shim("web").requests.back() == "killExec");
    CHECK(pod.daemon.event_lines(4) == Lines{"exec.started nginx", "exec.exited nginx"});

    session = pod.exec();
    pod.world.shim("web").end_exec("nginx", session->facts().exec, 0);
    pod.daemon.run(session->wait());
    session.reset();
    pod.daemon.settle();
    CHECK(pod.world.shim("web").requests.back() == "exec");
}

TEST_CASE("an exec ends when its shim dies") {
    Running pod;
    const auto session = pod.exec();
    auto waiting = pod.daemon.begin(session->wait());
    pod.world.shim("web").die();
    CHECK(pod.daemon.finish(waiting).exit_code == 137);
}

TEST_CASE("exec needs a running container and a command") {
    Running pod;
    daemon::ExecAction action;
    action.container = "nginx";
    CHECK(code_of([&] { return pod.daemon.run(pod.daemon.engine.exec(action)); }) ==
          Code::invalid_argument);
    pod.world.shim("web").exit_container("nginx", 0);
    pod.daemon.settle();
    CHECK(code_of([&] { return pod.exec(); }) == Code::failed_precondition);
}
