#include "catch.hpp"
#include "sys/file.hpp"
#include "unit/engine/world.hpp"

#include <algorithm>
#include <functional>

#include <fcntl.h>

using namespace covey;
using namespace covey::test;
using Script = FakeShim::Script;
using Lines = std::vector<std::string>;

namespace {

bool exists(const std::string& path) {
    return sys::stat_at(sys::kCwd, path).has_value();
}

/// Runs `operation` until the shim has carried out the request, and drops the daemon before it
/// hears the answer.
template <typename Begin>
void crash_before_answer_of(World& world, const std::string& request, Begin begin) {
    auto daemon = std::make_unique<Daemon>(world);
    auto running = begin(*daemon);
    const auto asked = [&] {
        return std::any_of(world.shims.begin(), world.shims.end(), [&](const auto& entry) {
            const auto& all = entry.second->requests;
            return !all.empty() && all.back() == request;
        });
    };
    while (!asked()) {
        daemon->io.restart();
        daemon->io.poll();
        world.io.restart();
        world.io.poll();
    }
}

void make_pod(Daemon& daemon) {
    daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
    daemon.run(daemon.engine.create_container(container_action("nginx", "web")));
    daemon.run(daemon.engine.start_container("nginx"));
}

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

TEST_CASE("an unreadable record is left alone and does not keep the others from being served") {
    World world;
    {
        Daemon daemon(world);
        make_pod(daemon);
        daemon.run(daemon.engine.create_sandbox(sandbox_action("db")));
    }
    const auto folder = sys::open_dir(world.folder("web")).or_throw("open");
    sys::replace_file_at(folder, "record.json", "{", 0600).or_throw("write");
    Daemon daemon(world);
    CHECK(exists(world.folder("web")));
    CHECK(daemon.engine.sandboxes().size() == 1);
    CHECK(daemon.event_lines(6).empty());
    CHECK(code_of([&] {
              return daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
          }) == Code::failed_precondition);
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

TEST_CASE("a second daemon on the same state folder is refused") {
    World world;
    Daemon daemon(world);
    CHECK(code_of([&] { return std::make_unique<Daemon>(world); }) == Code::failed_precondition);
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
