#include "catch.hpp"
#include "unit/engine/world.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <algorithm>

using namespace covey;
using namespace covey::test;
using namespace std::chrono_literals;
using Script = FakeShim::Script;
using Lines = std::vector<std::string>;

namespace {

template <typename Wish>
auto script_for(Script what) {
    return [what](const core::RequestBody& body) {
        return std::holds_alternative<Wish>(body) ? what : Script::obey;
    };
}

struct Pod {
    World world;
    Daemon daemon{world};
    Pod() { daemon.run(daemon.engine.create_sandbox(sandbox_action("web"))); }
    daemon::ContainerView create(const std::string& id) {
        return daemon.run(daemon.engine.create_container(container_action(id, "web"))).view;
    }
};

}  // namespace

TEST_CASE("a sandbox is ready, recorded and told when its creation returns") {
    World world;
    Daemon daemon(world);
    const auto made = daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
    CHECK_FALSE(made.was_there);
    CHECK(made.view.facts.state == core::SandboxState::ready);
    CHECK(made.view.facts.namespaces.at("pid").path == world.folder("web") + "/ns/pid");
    CHECK(made.view.resource_version == 2);
    CHECK(daemon.event_lines() == Lines{"sandbox.created web", "sandbox.ready web"});
    CHECK(exists(world.folder("web") + "/record.json"));
    CHECK(daemon.engine.sandboxes().size() == 1);
}

TEST_CASE("an absent sandbox id is made up") {
    World world;
    Daemon daemon(world);
    const auto made = daemon.run(daemon.engine.create_sandbox(sandbox_action("")));
    CHECK(made.view.request.id.size() == 16);
    CHECK(daemon.engine.sandbox(made.view.request.id).facts.state == core::SandboxState::ready);
}

TEST_CASE("the same sandbox again is the one that is there, a different one is refused") {
    Pod pod;
    const auto again = pod.daemon.run(pod.daemon.engine.create_sandbox(sandbox_action("web")));
    CHECK(again.was_there);
    auto other = sandbox_action("web");
    other.hostname = "elsewhere";
    CHECK(code_of([&] { return pod.daemon.run(pod.daemon.engine.create_sandbox(other)); }) ==
          Code::already_exists);
    CHECK(pod.world.shim("web").requests == Lines{"createSandbox"});
}

TEST_CASE("equal creations at the same time make one sandbox") {
    World world;
    Daemon daemon(world);
    auto first = daemon.begin(daemon.engine.create_sandbox(sandbox_action("web")));
    auto second = daemon.begin(daemon.engine.create_sandbox(sandbox_action("web")));
    CHECK(daemon.finish(first).was_there != daemon.finish(second).was_there);
    CHECK(daemon.event_lines().size() == 2);
}

TEST_CASE("bad ids are refused") {
    Pod pod;
    CHECK(code_of([&] { return pod.create("../a"); }) == Code::invalid_argument);
    CHECK(code_of([&] { return pod.daemon.engine.sandbox("nope"); }) == Code::not_found);
    CHECK(pod.daemon.engine.containers().empty());
}

TEST_CASE("a container's way from creation to deletion is told in order") {
    Pod pod;
    auto& engine = pod.daemon.engine;
    CHECK(pod.create("nginx").facts.state == core::ContainerState::created);
    CHECK(pod.daemon.run(engine.start_container("nginx")).facts.state ==
          core::ContainerState::running);
    CHECK_FALSE(pod.daemon.run(engine.wait_container("nginx", 1ms)));
    auto waiting = pod.daemon.begin(engine.wait_container("nginx", 10s));
    pod.world.shim("web").exit_container("nginx", 3);
    CHECK(pod.daemon.finish(waiting)->exit_code == 3);
    const auto view = engine.container("nginx");
    CHECK(view.facts.state == core::ContainerState::stopped);
    CHECK(view.facts.pid == 0);
    CHECK(view.resource_version == 5);
    pod.daemon.run(engine.delete_container("nginx", false));
    CHECK(pod.daemon.event_lines(2) == Lines{"container.created nginx", "container.started nginx",
                                             "container.exited nginx", "container.deleted nginx"});
    CHECK(pod.daemon.event_records(4)[0].exit->exit_code == 3);
    CHECK_FALSE(exists(pod.world.folder("web") + "/containers/nginx"));
    CHECK(engine.sandbox("web").containers.empty());
}

TEST_CASE("a container's id is unique over all sandboxes") {
    Pod pod;
    pod.daemon.run(pod.daemon.engine.create_sandbox(sandbox_action("db")));
    pod.create("nginx");
    CHECK(code_of([&] {
              return pod.daemon.run(
                  pod.daemon.engine.create_container(container_action("nginx", "db")));
          }) == Code::already_exists);
    auto same = container_action("nginx", "web");
    same.pid_mode = spec::PidMode::nested;  // what it was by default
    CHECK(pod.daemon.run(pod.daemon.engine.create_container(same)).was_there);
}

TEST_CASE("more than the most allowed is refused") {
    World world;
    daemon::EngineConfig config;
    config.most_sandboxes = 1;
    config.most_containers = 1;
    Daemon daemon(world, config);
    daemon.run(daemon.engine.create_sandbox(sandbox_action("a")));
    CHECK(code_of([&] { return daemon.run(daemon.engine.create_sandbox(sandbox_action("b"))); }) ==
          Code::too_many);
    daemon.run(daemon.engine.create_container(container_action("c", "a")));
    CHECK(code_of([&] {
              return daemon.run(daemon.engine.create_container(container_action("d", "a")));
          }) == Code::too_many);
}

TEST_CASE("a sandbox that cannot be made leaves nothing behind") {
    World world;
    Daemon daemon(world);
    SECTION("the shim refuses") {
        world.script = script_for<core::CreateSandbox>(Script::fail);
    }
    SECTION("the shim dies") {
        world.script = script_for<core::CreateSandbox>(Script::die);
    }
    SECTION("the shim dies when it is done") {
        world.script = script_for<core::CreateSandbox>(Script::obey_and_die);
    }
    SECTION("pinning fails") {
        world.refuse_to_pin = "web";
    }
    CHECK_THROWS_AS(daemon.run(daemon.engine.create_sandbox(sandbox_action("web"))), Error);
    CHECK_FALSE(exists(world.folder("web")));
    CHECK_FALSE(world.shim("web").is_alive());
    CHECK(world.pinned.empty());
    CHECK(world.removed_groups.contains("/covey/web.pod"));
    CHECK(daemon.event_lines().empty());
    CHECK(daemon.engine.sandboxes().empty());

    world.script = nullptr;
    world.refuse_to_pin.clear();
    CHECK_FALSE(daemon.run(daemon.engine.create_sandbox(sandbox_action("web"))).was_there);
}

TEST_CASE("a container that cannot be made leaves nothing behind, and the shim's words come back") {
    Pod pod;
    pod.world.shim("web").script = script_for<core::CreateContainer>(Script::fail);
    CHECK(code_of([&] { return pod.create("nginx"); }) == Code::invalid_spec);
    CHECK_FALSE(exists(pod.world.folder("web") + "/containers/nginx"));
    CHECK(pod.daemon.engine.containers().empty());
    CHECK(pod.daemon.event_lines(2).empty());
    pod.world.shim("web").script = nullptr;
    CHECK(pod.create("nginx").facts.state == core::ContainerState::created);
}

TEST_CASE("a shim that dies takes its sandbox along, with the exits that it had written") {
    Pod pod;
    pod.create("nginx");
    pod.create("shell");
    pod.daemon.run(pod.daemon.engine.start_container("nginx"));
    pod.world.shim("web").tell_events = false;
    pod.world.shim("web").exit_container("shell", 7);
    pod.world.shim("web").die();
    pod.daemon.run_until([&] {
        return pod.daemon.engine.sandbox("web").facts.state == core::SandboxState::stopped;
    });
    CHECK(pod.world.killed_groups.contains("/covey/web.pod"));
    CHECK(pod.daemon.engine.container("shell").facts.exit->exit_code == 7);
    const auto exit = *pod.daemon.engine.container("nginx").facts.exit;
    CHECK(exit.exit_code == 137);
    CHECK(exit.reason == "shim died");
    CHECK(code_of([&] { return pod.create("late"); }) == Code::sandbox_gone);
    pod.daemon.run(pod.daemon.engine.delete_container("nginx", false));
    pod.daemon.run(pod.daemon.engine.delete_sandbox("web", true));
    CHECK_FALSE(exists(pod.world.folder("web")));
}

TEST_CASE("a shim that dies in the middle of a request fails it") {
    Pod pod;
    pod.world.shim("web").script = script_for<core::CreateContainer>(Script::die);
    CHECK(code_of([&] { return pod.create("nginx"); }) == Code::sandbox_gone);
    pod.daemon.run_until([&] {
        return pod.daemon.engine.sandbox("web").facts.state == core::SandboxState::stopped;
    });
    CHECK(pod.daemon.engine.containers().empty());
    CHECK(pod.daemon.event_lines(2) == Lines{"sandbox.stopped web"});
}

TEST_CASE("an end that comes before the answer of the start is told after it") {
    Pod pod;
    pod.create("nginx");
    auto& shim = pod.world.shim("web");
    shim.script = [&](const core::RequestBody& body) {
        if (std::holds_alternative<core::StartContainer>(body)) shim.exit_container("nginx", 0);
        return Script::obey;
    };
    CHECK(pod.daemon.run(pod.daemon.engine.start_container("nginx")).facts.state ==
          core::ContainerState::stopped);
    CHECK(pod.daemon.event_lines(3) == Lines{"container.started nginx", "container.exited nginx"});
}

TEST_CASE("two starts at the same time: one starts, the other is told that it runs") {
    Pod pod;
    pod.create("nginx");
    auto first = pod.daemon.begin(pod.daemon.engine.start_container("nginx"));
    auto second = pod.daemon.begin(pod.daemon.engine.start_container("nginx"));
    CHECK(pod.daemon.finish(first).facts.state == core::ContainerState::running);
    CHECK(code_of([&] { return pod.daemon.finish(second); }) == Code::failed_precondition);
}

TEST_CASE("creating, starting and deleting one id at the same time ends clearly") {
    Pod pod;
    auto& engine = pod.daemon.engine;
    for (int round = 0; round < 20; ++round) {
        auto create = pod.daemon.begin(engine.create_container(container_action("nginx", "web")));
        auto start = pod.daemon.begin(engine.start_container("nginx"));
        auto remove = pod.daemon.begin(engine.delete_container("nginx", true));
        auto again = pod.daemon.begin(engine.create_container(container_action("nginx", "web")));
        CHECK_FALSE(pod.daemon.finish(create).was_there);
        CHECK(pod.daemon.finish(start).facts.state == core::ContainerState::running);
        CHECK(pod.daemon.finish(remove));
        CHECK_FALSE(pod.daemon.finish(again).was_there);
        pod.daemon.run(engine.delete_container("nginx", true));
    }
    const auto lines = pod.daemon.event_lines();
    CHECK(std::count(lines.begin(), lines.end(), "container.exited nginx") == 40);
    CHECK(std::count(lines.begin(), lines.end(), "container.deleted nginx") == 40);
}

TEST_CASE("a create whose client goes away is completed") {
    Pod pod;
    pod.world.shim("web").script = script_for<core::CreateContainer>(Script::silent);
    boost::asio::cancellation_signal client;
    bool gone = false;
    boost::asio::co_spawn(
        pod.daemon.io, pod.daemon.engine.create_container(container_action("nginx", "web")),
        boost::asio::bind_cancellation_slot(
            client.slot(),
            [&](const std::exception_ptr& error, const daemon::Created<daemon::ContainerView>&) {
                gone = error != nullptr;
            }));
    pod.daemon.settle();
    client.emit(boost::asio::cancellation_type::all);
    pod.daemon.run_until([&] { return gone; });
    pod.world.shim("web").answer_kept();
    pod.daemon.settle();
    CHECK(pod.daemon.engine.container("nginx").facts.state == core::ContainerState::created);
}

TEST_CASE("stop sends SIGTERM, then SIGKILL when the time is over") {
    Pod pod;
    pod.create("nginx");
    auto& engine = pod.daemon.engine;
    pod.daemon.run(engine.start_container("nginx"));
    const auto view = pod.daemon.run(engine.stop_container({"nginx", 5ms}));
    CHECK(view.facts.exit->exit_code == 137);
    const auto& requests = pod.world.shim("web").requests;
    CHECK(std::count(requests.begin(), requests.end(), "killContainer") == 2);
    CHECK(pod.daemon.run(engine.stop_container({"nginx", 5ms})).facts.exit->exit_code == 137);
    CHECK(code_of([&] {
              return pod.daemon.run(engine.kill_container({"nginx", 15, false, 0}));
          }) == Code::failed_precondition);
}

TEST_CASE("deletion without force is refused while there is something to lose") {
    Pod pod;
    pod.create("nginx");
    auto& engine = pod.daemon.engine;
    const auto refused = Code::failed_precondition;
    CHECK(code_of([&] { return pod.daemon.run(engine.delete_container("nginx", false)); }) ==
          refused);
    CHECK(code_of([&] { return pod.daemon.run(engine.delete_sandbox("web", false)); }) == refused);
    pod.daemon.run(engine.delete_container("nginx", true));
    CHECK(code_of([&] { return pod.daemon.run(engine.delete_sandbox("web", false)); }) == refused);
    pod.daemon.run(engine.stop_sandbox("web"));
    pod.daemon.run(engine.delete_sandbox("web", false));
    CHECK(code_of([&] { return pod.daemon.run(engine.delete_sandbox("web", false)); }) ==
          Code::not_found);
    CHECK(pod.daemon.run(engine.delete_sandbox("web", true)));
    CHECK(pod.daemon.run(engine.delete_container("nginx", true)));
}

TEST_CASE("a forced deletion of a sandbox tells the end of everything in it, in order") {
    Pod pod;
    pod.create("nginx");
    pod.daemon.run(pod.daemon.engine.start_container("nginx"));
    pod.daemon.run(pod.daemon.engine.delete_sandbox("web", true));
    CHECK(pod.daemon.event_lines(4) == Lines{"container.exited nginx", "sandbox.stopped web",
                                             "container.deleted nginx", "sandbox.deleted web"});
    CHECK_FALSE(exists(pod.world.folder("web")));
    CHECK_FALSE(pod.world.shim("web").is_alive());
    CHECK(pod.world.pinned.empty());
    CHECK(pod.daemon.engine.containers().empty());
}

TEST_CASE("a stopped sandbox keeps its containers, and stopping it again is nothing") {
    Pod pod;
    pod.create("nginx");
    auto& engine = pod.daemon.engine;
    CHECK(pod.daemon.run(engine.stop_sandbox("web")).facts.state == core::SandboxState::stopped);
    CHECK(pod.daemon.run(engine.stop_sandbox("web")).facts.state == core::SandboxState::stopped);
    CHECK(engine.container("nginx").facts.exit->exit_code == 137);
    const auto lines = pod.daemon.event_lines();
    CHECK(std::count(lines.begin(), lines.end(), "sandbox.stopped web") == 1);
    pod.daemon.run(engine.delete_container("nginx", false));
}

TEST_CASE("a shim that hangs is killed when its sandbox is deleted") {
    World world;
    world.shims_have_processes = true;
    daemon::EngineConfig config;
    config.shim_deadline = 20ms;
    Daemon daemon(world, config);
    daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
    daemon.run(daemon.engine.create_container(container_action("nginx", "web")));
    world.shim("web").script = [](const core::RequestBody&) { return Script::silent; };
    CHECK(code_of([&] { return daemon.run(daemon.engine.start_container("nginx")); }) ==
          Code::timeout);
    daemon.run(daemon.engine.delete_sandbox("web", true));
    CHECK_FALSE(world.shim("web").process_runs());
    CHECK(world.killed_groups.contains("/covey/web.pod"));
    CHECK_FALSE(exists(world.folder("web")));
}

TEST_CASE("an answer that comes after its deadline does no harm") {
    World world;
    daemon::EngineConfig config;
    config.shim_deadline = 20ms;
    Daemon daemon(world, config);
    daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
    auto& shim = world.shim("web");
    shim.script = script_for<core::CreateContainer>(Script::silent);
    CHECK(code_of([&] {
              return daemon.run(daemon.engine.create_container(container_action("nginx", "web")));
          }) == Code::timeout);
    shim.answer_kept();  // carried out after the undoing: the shim has what nobody knows
    shim.script = nullptr;
    daemon.settle();
    CHECK(daemon.engine.containers().empty());
    shim.containers.clear();
    CHECK_FALSE(
        daemon.run(daemon.engine.create_container(container_action("nginx", "web"))).was_there);
}
