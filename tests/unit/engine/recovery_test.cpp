// A daemon that was killed and started again: what it finds, tells, cleans up and leaves alone.
#include "catch.hpp"
#include "sys/file.hpp"
#include "unit/engine/world.hpp"

#include <algorithm>

#include <fcntl.h>

using namespace covey;
using namespace covey::test;
using Script = FakeShim::Script;
using Lines = std::vector<std::string>;

namespace {

std::string journal_of(const World& world) {
    return sys::read_file(world.root + "/events.ndjson").or_throw("read", "journal");
}

void cut_journal(const World& world, std::size_t lines) {
    auto text = journal_of(world);
    for (std::size_t i = 0; i < lines; ++i)
        text.erase(text.rfind('\n', text.size() - 2) + 1);
    const auto root = sys::open_dir(world.root).or_throw("open", world.root);
    sys::replace_file_at(root, "events.ndjson", text, 0600).or_throw("write", "journal");
}

}  // namespace

TEST_CASE("a restarted daemon finds everything as it was and tells nothing twice") {
    World world;
    Lines before;
    {
        Daemon daemon(world);
        make_pod(daemon);
        daemon.run(daemon.engine.create_container(container_action("done", "web")));
        world.shim("web").exit_container("done", 5);
        daemon.settle();
        before = daemon.event_lines();
    }
    for (int life = 0; life < 3; ++life) {
        Daemon daemon(world);
        CHECK(daemon.engine.sandbox("web").facts.state == core::SandboxState::ready);
        CHECK(daemon.engine.sandbox("web").facts.namespaces.at("pid").path ==
              world.folder("web") + "/ns/pid");
        CHECK(daemon.engine.container("nginx").facts.state == core::ContainerState::running);
        CHECK(daemon.engine.container("done").facts.exit->exit_code == 5);
        CHECK(daemon.event_lines() == before);
        CHECK(daemon.run(daemon.engine.create_sandbox(sandbox_action("web"))).was_there);
    }
}

TEST_CASE("what ended while nobody listened is told once") {
    World world;
    {
        Daemon daemon(world);
        make_pod(daemon);
    }
    world.shim("web").exit_container("nginx", 9);
    for (int life = 0; life < 2; ++life) {
        Daemon daemon(world);
        CHECK(daemon.engine.container("nginx").facts.exit->exit_code == 9);
        CHECK(daemon.event_lines(4) == Lines{"container.exited nginx"});
    }
    world.shim("web").pause_dies();
    Daemon daemon(world);
    CHECK(daemon.event_lines(5) == Lines{"sandbox.stopped web"});
}

TEST_CASE("a daemon killed between a record and its event: the next one tells the same story") {
    for (std::size_t lost = 0; lost <= 8; ++lost) {
        CAPTURE(lost);
        World world;
        Lines whole;
        {
            Daemon daemon(world);
            make_pod(daemon);
            world.shim("web").exit_container("nginx", 1);
            daemon.settle();
            daemon.run(daemon.engine.create_container(container_action("b", "web")));
            daemon.run(daemon.engine.start_container("b"));
            daemon.run(daemon.engine.stop_sandbox("web"));
            whole = daemon.event_lines();
        }
        REQUIRE(whole.size() == 9);
        cut_journal(world, lost);
        Daemon daemon(world);
        auto now = daemon.event_lines();
        CHECK(daemon.engine.container("nginx").facts.exit->exit_code == 1);
        std::sort(now.begin(), now.end());
        std::sort(whole.begin(), whole.end());
        CHECK(now == whole);
    }
}

TEST_CASE("deletions of which only the event is missing are told") {
    World world;
    Lines whole;
    {
        Daemon daemon(world);
        make_pod(daemon);
        daemon.run(daemon.engine.delete_sandbox("web", true));
        whole = daemon.event_lines();
    }
    for (std::size_t lost = 1; lost <= 2; ++lost) {
        cut_journal(world, lost);
        Daemon daemon(world);
        CHECK(daemon.event_lines() == whole);
    }
}

TEST_CASE("a folder without a record, and one of an earlier boot, are removed") {
    World world;
    {
        Daemon daemon(world);
        make_pod(daemon);
    }
    const auto root = sys::open_dir(world.root + "/sandboxes").or_throw("open");
    sys::mkdir_at(root, "empty", 0700).or_throw("mkdir");
    const auto half = world.root + "/events.ndjson.tmp1-1";
    (void)sys::open(half, O_CREAT | O_WRONLY, 0600).or_throw("create", half);
    const auto folder = sys::open_dir_at(root, "web").or_throw("open");
    auto text = sys::read_file_at(folder, "record.json", 1U << 20U).or_throw("read");
    const auto boot = sys::read_file("/proc/sys/kernel/random/boot_id").or_throw("read");
    text.replace(text.find(boot.substr(0, 36)), 8, "00000000");
    sys::replace_file_at(folder, "record.json", text, 0600).or_throw("write");
    world.shims.clear();
    Daemon daemon(world);
    CHECK_FALSE(exists(world.folder("empty")));
    CHECK_FALSE(exists(half));
    CHECK_FALSE(exists(world.folder("web")));
    CHECK(daemon.event_lines(4) == Lines{"container.deleted nginx", "sandbox.deleted web"});
}

TEST_CASE("a shim that died while nobody listened: its exit records count, the rest is killed") {
    World world;
    {
        Daemon daemon(world);
        make_pod(daemon);
        daemon.run(daemon.engine.create_container(container_action("done", "web")));
    }
    world.shim("web").exit_container("done", 4);
    world.shim("web").die();
    for (int life = 0; life < 2; ++life) {
        Daemon daemon(world);
        CHECK(daemon.engine.sandbox("web").facts.state == core::SandboxState::stopped);
        CHECK(daemon.engine.container("done").facts.exit->exit_code == 4);
        CHECK(daemon.engine.container("nginx").facts.exit->reason == "shim died");
        auto lines = daemon.event_lines(5);
        std::sort(lines.begin(), lines.end());
        CHECK(lines ==
              Lines{"container.exited done", "container.exited nginx", "sandbox.stopped web"});
    }
    CHECK(world.killed_groups.contains("/covey/web.pod"));
}

TEST_CASE("execs whose streams died with the daemon are ended and told") {
    World world;
    {
        Daemon daemon(world);
        make_pod(daemon);
        daemon::ExecAction action;
        action.container = "nginx";
        action.command = {"cat"};
        const auto session = daemon.run(daemon.engine.exec(action));
        (void)daemon.run(daemon.engine.exec(action));
        daemon.run_until([&] { return world.shim("web").execs.size() == 1; });
    }
    SECTION("it ran on") {
    }
    SECTION("it ended meanwhile") {
        world.shim("web").end_exec("nginx", world.shim("web").execs.begin()->first, 0);
    }
    Daemon daemon(world);
    daemon.settle();
    CHECK(world.shim("web").execs.empty());
    const auto lines = daemon.event_lines();
    CHECK(std::count(lines.begin(), lines.end(), "exec.started nginx") == 2);
    CHECK(std::count(lines.begin(), lines.end(), "exec.exited nginx") == 2);
}

TEST_CASE("a shim that does not answer keeps its sandbox, as its files describe it") {
    World world;
    {
        Daemon daemon(world);
        make_pod(daemon);
    }
    world.shim("web").script = [](const core::RequestBody&) { return Script::silent; };
    daemon::EngineConfig config;
    config.shim_deadline = std::chrono::milliseconds{20};
    Daemon daemon(world, config);
    CHECK(daemon.engine.sandbox("web").facts.state == core::SandboxState::ready);
    CHECK(daemon.engine.container("nginx").facts.state == core::ContainerState::running);
    world.shim("web").script = nullptr;
    world.shim("web").exit_container("nginx", 8);
    daemon.settle();
    CHECK(daemon.engine.container("nginx").facts.exit->exit_code == 8);
}

TEST_CASE("a daemon recovers once") {
    World world;
    Daemon daemon(world);
    make_pod(daemon);
    CHECK(code_of([&] { return daemon.run(daemon.engine.recover()); }) ==
          Code::failed_precondition);
    daemon.run(daemon.engine.delete_container("nginx", true));
}

TEST_CASE("a second daemon on the same state folder is refused") {
    World world;
    Daemon daemon(world);
    CHECK(code_of([&] { return std::make_unique<Daemon>(world); }) == Code::failed_precondition);
}
