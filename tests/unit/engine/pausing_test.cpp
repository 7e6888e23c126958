// Pause and resume, from the operation to the journal, over deaths of the daemon.
#include "catch.hpp"
#include "unit/engine/world.hpp"

using namespace covey;
using namespace covey::test;
using Script = FakeShim::Script;
using State = core::ContainerState;
using Lines = std::vector<std::string>;

namespace {

State state_of(Daemon& daemon) {
    return daemon.engine.container("nginx").facts.state;
}

/// The container "nginx", paused, in a world without a daemon.
void make_paused(World& world) {
    Daemon daemon(world);
    make_pod(daemon);
    daemon.run(daemon.engine.pause_container("nginx"));
}

}  // namespace

TEST_CASE("a container is paused and resumed, and each is told once") {
    World world;
    Daemon daemon(world);
    make_pod(daemon);
    for (int twice = 0; twice < 2; ++twice)
        CHECK(daemon.run(daemon.engine.pause_container("nginx")).facts.state == State::paused);
    CHECK(daemon.engine.container("nginx").facts.paused_at > 0);
    for (int twice = 0; twice < 2; ++twice)
        CHECK(daemon.run(daemon.engine.resume_container("nginx")).facts.state == State::running);
    CHECK(daemon.event_lines(4) == Lines{"container.paused nginx", "container.resumed nginx"});
}

TEST_CASE("what has not begun or has ended is neither paused nor resumed") {
    World world;
    Daemon daemon(world);
    daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
    daemon.run(daemon.engine.create_container(container_action("nginx", "web")));
    const auto refused = [&] {
        CHECK(code_of([&] { return daemon.run(daemon.engine.pause_container("nginx")); }) ==
              Code::failed_precondition);
        CHECK(code_of([&] { return daemon.run(daemon.engine.resume_container("nginx")); }) ==
              Code::failed_precondition);
    };
    refused();
    world.shim("web").exit_container("nginx", 0);
    daemon.settle();
    refused();
    CHECK(world.shim("web").requests.back() == "createContainer");
    CHECK(code_of([&] { return daemon.run(daemon.engine.pause_container("none")); }) ==
          Code::not_found);
}

TEST_CASE("a paused container takes no exec") {
    World world;
    make_paused(world);
    Daemon daemon(world);
    daemon::ExecAction action;
    action.container = "nginx";
    action.command = {"true"};
    CHECK(code_of([&] { return daemon.run(daemon.engine.exec(action)); }) ==
          Code::failed_precondition);
}

TEST_CASE("a stop lets a paused container go on, so that it hears the signal") {
    World world;
    Daemon daemon(world);
    make_pod(daemon);
    auto& shim = world.shim("web");
    daemon.run(daemon.engine.pause_container("nginx"));
    auto stop = daemon.begin(daemon.engine.stop_container({"nginx", std::chrono::seconds{10}}));
    daemon.run_until([&] { return state_of(daemon) == State::running; });
    shim.exit_container("nginx", 3);
    CHECK(daemon.finish(stop).facts.exit->exit_code == 3);
    CHECK(daemon.event_lines(5) == Lines{"container.resumed nginx", "container.exited nginx"});
}

TEST_CASE("a stop of a paused container that does not go on kills it") {
    World world;
    Daemon daemon(world);
    make_pod(daemon);
    daemon.run(daemon.engine.pause_container("nginx"));
    world.shim("web").script = [](const core::RequestBody& body) {
        return std::holds_alternative<core::ResumeContainer>(body) ? Script::fail : Script::obey;
    };
    const auto view =
        daemon.run(daemon.engine.stop_container({"nginx", std::chrono::seconds{1000}}));
    CHECK(view.facts.exit->exit_code == 137);
    CHECK(daemon.event_lines(5) == Lines{"container.exited nginx"});
}

TEST_CASE("a paused container is still paused when the daemon comes back, and deleted by force") {
    World world;
    make_paused(world);
    Daemon daemon(world);
    CHECK(state_of(daemon) == State::paused);
    CHECK(daemon.event_lines(4) == Lines{"container.paused nginx"});
    CHECK(code_of([&] { return daemon.run(daemon.engine.delete_container("nginx", false)); }) ==
          Code::failed_precondition);
    daemon.run(daemon.engine.delete_container("nginx", true));
    CHECK(daemon.event_lines(5) == Lines{"container.exited nginx", "container.deleted nginx"});
}

TEST_CASE("a pause or resume that nobody heard of is told") {
    World world;
    {
        Daemon daemon(world);
        make_pod(daemon);
    }
    const auto pause = [](Daemon& daemon) {
        return daemon.begin(daemon.engine.pause_container("nginx"));
    };
    crash_before_answer_of(world, "pauseContainer", pause);
    {
        Daemon daemon(world);
        CHECK(state_of(daemon) == State::paused);
        CHECK(daemon.event_lines(4) == Lines{"container.paused nginx"});
    }
    crash_before_answer_of(world, "resumeContainer", [](Daemon& daemon) {
        return daemon.begin(daemon.engine.resume_container("nginx"));
    });
    Daemon daemon(world);
    CHECK(state_of(daemon) == State::running);
    CHECK(daemon.event_lines(5) == Lines{"container.resumed nginx"});
}

TEST_CASE("a pause that is carried out after the restart is heard of") {
    World world;
    {
        Daemon daemon(world);
        make_pod(daemon);
    }
    auto& shim = world.shim("web");
    shim.script = [](const core::RequestBody& body) {
        return std::holds_alternative<core::PauseContainer>(body) ? Script::silent : Script::obey;
    };
    crash_before_answer_of(world, "pauseContainer", [](Daemon& daemon) {
        return daemon.begin(daemon.engine.pause_container("nginx"));
    });
    Daemon daemon(world);
    CHECK(state_of(daemon) == State::running);
    shim.answer_kept();
    daemon.settle();
    CHECK(state_of(daemon) == State::paused);
    CHECK(daemon.event_lines(4) == Lines{"container.paused nginx"});
}

TEST_CASE("a sandbox with a paused container is stopped and deleted") {
    World world;
    make_paused(world);
    Daemon daemon(world);
    daemon.run(daemon.engine.stop_sandbox("web"));
    CHECK(state_of(daemon) == State::stopped);
    daemon.run(daemon.engine.delete_sandbox("web", true));
    CHECK_FALSE(exists(world.folder("web")));
}

TEST_CASE("a paused container of a shim that died has ended") {
    World world;
    make_paused(world);
    world.shim("web").die();
    Daemon daemon(world);
    CHECK(state_of(daemon) == State::stopped);
    CHECK(daemon.engine.container("nginx").facts.exit->reason == "shim died");
}
