// What was carried out, or begun, when the daemon was killed before it heard the answer.
#include "catch.hpp"
#include "sys/file.hpp"
#include "unit/engine/world.hpp"

using namespace covey;
using namespace covey::test;
using Script = FakeShim::Script;
using Lines = std::vector<std::string>;

TEST_CASE("a sandbox whose creation nobody heard of is complete") {
    World world;
    crash_before_answer_of(world, "createSandbox", [](Daemon& daemon) {
        return daemon.begin(daemon.engine.create_sandbox(sandbox_action("web")));
    });
    Daemon daemon(world);
    CHECK(daemon.engine.sandbox("web").facts.state == core::SandboxState::ready);
    CHECK(world.pinned.contains("web"));
    CHECK(daemon.event_lines() == Lines{"sandbox.created web", "sandbox.ready web"});
}

TEST_CASE("a sandbox that its shim has not made is undone") {
    World world;
    world.script = [](const core::RequestBody& body) {
        return std::holds_alternative<core::CreateSandbox>(body) ? Script::silent : Script::obey;
    };
    crash_before_answer_of(world, "createSandbox", [](Daemon& daemon) {
        return daemon.begin(daemon.engine.create_sandbox(sandbox_action("web")));
    });
    SECTION("the shim lives") {
    }
    SECTION("the shim is dead") {
        world.shim("web").die();
    }
    Daemon daemon(world);
    CHECK_FALSE(exists(world.folder("web")));
    CHECK_FALSE(world.shim("web").is_alive());
    CHECK(world.removed_groups.contains("/covey/web.pod"));
    CHECK(daemon.event_lines().empty());
    world.script = nullptr;
    CHECK_FALSE(daemon.run(daemon.engine.create_sandbox(sandbox_action("web"))).was_there);
}

TEST_CASE("a container whose creation nobody heard of is complete, or was never there") {
    World world;
    {
        Daemon daemon(world);
        daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
    }
    auto& shim = world.shim("web");
    const auto create = [](Daemon& daemon) {
        return daemon.begin(daemon.engine.create_container(container_action("nginx", "web")));
    };
    SECTION("made") {
        crash_before_answer_of(world, "createContainer", create);
        Daemon daemon(world);
        CHECK(daemon.engine.container("nginx").facts.state == core::ContainerState::created);
        CHECK(daemon.event_lines(2) == Lines{"container.created nginx"});
    }
    SECTION("made, and ended since") {
        crash_before_answer_of(world, "createContainer", create);
        shim.exit_container("nginx", 2);
        Daemon daemon(world);
        CHECK(daemon.event_lines(2) == Lines{"container.created nginx", "container.exited nginx"});
    }
    SECTION("not made") {
        shim.script = [](const core::RequestBody& body) {
            return std::holds_alternative<core::CreateContainer>(body) ? Script::silent
                                                                       : Script::obey;
        };
        crash_before_answer_of(world, "createContainer", create);
        Daemon daemon(world);
        CHECK_FALSE(exists(world.folder("web") + "/containers/nginx"));
        CHECK(daemon.engine.containers().empty());
        CHECK(daemon.event_lines(2).empty());
    }
}

TEST_CASE("a container that the shim deleted and nobody was told is deleted") {
    World world;
    {
        Daemon daemon(world);
        make_pod(daemon);
        world.shim("web").exit_container("nginx", 6);
        daemon.settle();
    }
    crash_before_answer_of(world, "deleteContainer", [](Daemon& daemon) {
        return daemon.begin(daemon.engine.delete_container("nginx", false));
    });
    Daemon daemon(world);
    CHECK_FALSE(exists(world.folder("web") + "/containers/nginx"));
    CHECK(daemon.event_lines(4) == Lines{"container.exited nginx", "container.deleted nginx"});
}

TEST_CASE("a start that nobody heard of is told") {
    World world;
    {
        Daemon daemon(world);
        daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
        daemon.run(daemon.engine.create_container(container_action("nginx", "web")));
    }
    crash_before_answer_of(world, "startContainer", [](Daemon& daemon) {
        return daemon.begin(daemon.engine.start_container("nginx"));
    });
    Daemon daemon(world);
    CHECK(daemon.engine.container("nginx").facts.state == core::ContainerState::running);
    CHECK(daemon.event_lines(3) == Lines{"container.started nginx"});
}

TEST_CASE("a deletion of a sandbox that was begun is finished") {
    for (const auto* request : {"stopSandbox", "shutdown"}) {
        CAPTURE(request);
        World world;
        {
            Daemon daemon(world);
            make_pod(daemon);
        }
        crash_before_answer_of(world, request, [](Daemon& daemon) {
            return daemon.begin(daemon.engine.delete_sandbox("web", true));
        });
        Daemon daemon(world);
        CHECK_FALSE(exists(world.folder("web")));
        CHECK(daemon.engine.sandboxes().empty());
        CHECK(daemon.event_lines(4) == Lines{"container.exited nginx", "sandbox.stopped web",
                                             "container.deleted nginx", "sandbox.deleted web"});
    }
}

TEST_CASE("a deletion that was killed while it removed files does not tell an end twice") {
    World world;
    crash_before_answer_of(world, "shutdown", [](Daemon& daemon) {
        make_pod(daemon);
        return daemon.begin(daemon.engine.delete_sandbox("web", true));
    });
    for (const auto* gone : {"/sandbox.json", "/containers/nginx/container.json"})
        sys::unlink_at(sys::kCwd, world.folder("web") + gone).or_throw("remove", gone);
    Daemon daemon(world);
    CHECK(daemon.event_lines(4) == Lines{"container.exited nginx", "sandbox.stopped web",
                                         "container.deleted nginx", "sandbox.deleted web"});
}

TEST_CASE("a start that is carried out after the restart is heard of") {
    World world;
    {
        Daemon daemon(world);
        daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
        daemon.run(daemon.engine.create_container(container_action("nginx", "web")));
    }
    auto& shim = world.shim("web");
    shim.script = [](const core::RequestBody& body) {
        return std::holds_alternative<core::StartContainer>(body) ? Script::silent : Script::obey;
    };
    crash_before_answer_of(world, "startContainer", [](Daemon& daemon) {
        return daemon.begin(daemon.engine.start_container("nginx"));
    });
    Daemon daemon(world);
    CHECK(daemon.engine.container("nginx").facts.state == core::ContainerState::created);
    shim.answer_kept();
    daemon.settle();
    CHECK(daemon.engine.container("nginx").facts.state == core::ContainerState::running);
    shim.exit_container("nginx", 0);
    daemon.settle();
    CHECK(daemon.event_lines(3) == Lines{"container.started nginx", "container.exited nginx"});
}
