// A state folder on a disk that is full: memory and the API go on, the disk follows when it can.
#include "support/full_disk.hpp"

#include "catch.hpp"
#include "sys/file.hpp"
#include "unit/engine/world.hpp"

#include <algorithm>

using namespace covey;
using namespace covey::test;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {

std::string record_of(const World& world, const std::string& path) {
    return sys::read_file(world.root + path).value_or("");
}

std::string written_journal(const World& world) {
    return record_of(world, "/events.ndjson");
}

}  // namespace

TEST_CASE("what cannot be written is not begun, and nothing is left of it") {
    World world;
    Daemon daemon(world);
    make_pod(daemon);
    {
        const FullDisk full(0);
        CHECK_THROWS_AS(daemon.run(daemon.engine.create_sandbox(sandbox_action("db"))), Error);
        CHECK_THROWS_AS(daemon.run(daemon.engine.create_container(container_action("b", "web"))),
                        Error);
    }
    CHECK_FALSE(exists(world.folder("db")));
    CHECK(daemon.engine.containers().size() == 1);
    daemon.run(daemon.engine.create_sandbox(sandbox_action("db")));
    daemon.run(daemon.engine.create_container(container_action("b", "web")));
}

TEST_CASE("a shim that dies on a full disk: the API says so at once, the disk when it has room") {
    World world;
    Lines whole;
    {
        Daemon daemon(world);
        make_pod(daemon);
        const auto before = written_journal(world);
        {
            const FullDisk full(0);
            world.shim("web").die();
            daemon.settle();
            const auto sandbox = daemon.engine.sandbox("web");
            CHECK(sandbox.facts.state == core::SandboxState::stopped);
            CHECK(sandbox.facts.record_stale);
            const auto container = daemon.engine.container("nginx");
            CHECK(container.facts.state == core::ContainerState::stopped);
            CHECK(container.facts.record_stale);
            CHECK(daemon.event_lines(4) == Lines{"container.exited nginx", "sandbox.stopped web"});
            CHECK(daemon.engine.event_counters().unwritten == 2);
            CHECK(written_journal(world) == before);
        }
        daemon.run_until([&] {
            return !daemon.engine.sandbox("web").facts.record_stale &&
                   !daemon.engine.container("nginx").facts.record_stale &&
                   daemon.engine.event_counters().unwritten == 0;
        });
        CHECK(record_of(world, "/sandboxes/web/record.json").find("\"stopped\"") !=
              std::string::npos);
        CHECK(record_of(world, "/sandboxes/web/containers/nginx/record.json").find("shim died") !=
              std::string::npos);
        CHECK(daemon.engine.event_counters().lost == 0);
        whole = daemon.event_lines();
    }
    Daemon daemon(world);
    CHECK(daemon.event_lines() == whole);
    CHECK(daemon.engine.container("nginx").facts.exit->reason == "shim died");
}

TEST_CASE("an exit on a full disk is told, and a wait hears of it") {
    World world;
    Daemon daemon(world);
    make_pod(daemon);
    const FullDisk full(0);
    const auto waiting = daemon.begin(daemon.engine.wait_container("nginx", 10s));
    world.shim("web").exit_container("nginx", 7);
    const auto exit = daemon.finish(waiting);
    REQUIRE(exit.has_value());
    CHECK(exit->exit_code == 7);
    CHECK(daemon.event_lines(4) == Lines{"container.exited nginx"});
    CHECK(daemon.engine.sandbox("web").facts.state == core::SandboxState::ready);
}

TEST_CASE("stop and deletion work on a full disk, and leave nothing") {
    World world;
    Daemon daemon(world);
    make_pod(daemon);
    daemon.run(daemon.engine.create_container(container_action("b", "web")));
    {
        const FullDisk full(0);
        SECTION("one after the other") {
            daemon.run(daemon.engine.stop_container({"nginx", 10ms}));
            daemon.run(daemon.engine.delete_container("nginx", false));
            daemon.run(daemon.engine.delete_container("b", true));
            daemon.run(daemon.engine.stop_sandbox("web"));
            daemon.run(daemon.engine.delete_sandbox("web", false));
        }
        SECTION("all at once") {
            daemon.run(daemon.engine.delete_sandbox("web", true));
        }
        CHECK(daemon.event_lines().back() == "sandbox.deleted web");
        CHECK_FALSE(exists(world.folder("web")));
        CHECK(daemon.engine.sandboxes().empty());
    }
    daemon.run_until([&] { return daemon.engine.event_counters().unwritten == 0; });
    CHECK(written_journal(world).find("sandbox.deleted") != std::string::npos);
}
