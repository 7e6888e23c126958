// Sandboxes and containers whose record cannot be read: shown as they are, never made up, and ended
// by a forced deletion.
#include "catch.hpp"
#include "sys/file.hpp"
#include "unit/engine/world.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace covey;
using namespace covey::test;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {

const std::string kContainer = "/containers/nginx";

void put(const std::string& path, const std::string& text) {
    const auto end = path.rfind('/');
    const auto folder = sys::open_dir(path.substr(0, end)).or_throw("open", path);
    sys::replace_file_at(folder, path.substr(end + 1), text, 0600).or_throw("write", path);
}

/// The pod of make_pod() behind a daemon that is gone.
struct Left {
    World world;
    Left() {
        Daemon daemon(world);
        make_pod(daemon);
        daemon.run(daemon.engine.create_sandbox(sandbox_action("db")));
    }
};

void make_unreadable(const std::string& record, const std::string& how) {
    REQUIRE(::unlink(record.c_str()) == 0);
    if (how == "cut") put(record, "{");
    if (how == "FIFO") REQUIRE(::mkfifo(record.c_str(), 0600) == 0);
    if (how == "folder") REQUIRE(::mkdir(record.c_str(), 0700) == 0);
    if (how == "symlink") REQUIRE(::symlink("/dev/zero", record.c_str()) == 0);
}

void check_unknown(Daemon& daemon) {
    const auto view = daemon.engine.sandbox("web");
    CHECK(view.facts.state == core::SandboxState::unknown);
    CHECK_FALSE(view.problem.empty());
    CHECK(daemon.engine.sandboxes().size() == 2);
    CHECK(daemon.engine.sandbox("db").facts.state == core::SandboxState::ready);
    CHECK(daemon.event_lines(6) == Lines{});
    auto& engine = daemon.engine;
    for (const auto& code : {
             code_of([&] { return daemon.run(engine.create_sandbox(sandbox_action("web"))); }),
             code_of(
                 [&] { return daemon.run(engine.create_container(container_action("b", "web"))); }),
             code_of([&] { return daemon.run(engine.stop_sandbox("web")); }),
             code_of([&] { return daemon.run(engine.delete_sandbox("web", false)); }),
         })
        CHECK(code == Code::failed_precondition);
}

}  // namespace

TEST_CASE("a sandbox whose record cannot be read is unknown, with its containers, and deletable") {
    const std::string how = GENERATE(as<std::string>{}, "cut", "gone", "FIFO", "folder", "symlink");
    CAPTURE(how);
    Left left;
    auto& world = left.world;
    make_unreadable(world.folder("web") + "/record.json", how);
    if (how == "gone") world.found_shims = {{"web", 1, 0, "/covey/web.pod", 0}};
    for (int life = 0; life < 2; ++life) {
        Daemon daemon(world);
        check_unknown(daemon);
        CHECK(daemon.engine.sandbox("web").facts.pause_pid == 1000);
        CHECK(daemon.engine.container("nginx").facts.state == core::ContainerState::running);
    }
    Daemon daemon(world);
    daemon.run(daemon.engine.delete_sandbox("web", true));
    CHECK_FALSE(exists(world.folder("web")));
    CHECK_FALSE(world.shim("web").is_alive());
    CHECK(world.removed_groups.contains("/covey/web.pod"));
    CHECK(daemon.event_lines(6) == Lines{"container.exited nginx", "sandbox.stopped web",
                                         "container.deleted nginx", "sandbox.deleted web"});
}

TEST_CASE("the record of another sandbox is none") {
    Left left;
    auto& world = left.world;
    put(world.folder("web") + "/record.json",
        sys::read_file(world.folder("db") + "/record.json").or_throw("read"));
    Daemon daemon(world);
    check_unknown(daemon);
    CHECK(daemon.engine.sandbox("web").problem.find("'db'") != std::string::npos);
}

TEST_CASE("a pod whose whole state folder was removed is found and can be deleted") {
    Left left;
    auto& world = left.world;
    sys::remove_tree_at(sys::kCwd, world.folder("web")).or_throw("remove");
    const auto out_of_reach = world.shims.extract("web");  // its socket went with the folder
    world.found_shims = {{"web", 4711, 5, "/elsewhere/web.pod", 4712}};
    for (int life = 0; life < 2; ++life) {
        Daemon daemon(world);
        check_unknown(daemon);
        const auto facts = daemon.engine.sandbox("web").facts;
        CHECK(facts.shim_pid == 4711);
        CHECK(facts.pause_pid == 4712);
        CHECK(facts.cgroup == "/elsewhere/web.pod");
    }
    Daemon daemon(world);
    daemon.run(daemon.engine.delete_sandbox("web", true));
    CHECK(world.killed_groups.contains("/elsewhere/web.pod"));
    CHECK_FALSE(exists(world.folder("web")));
    CHECK(daemon.engine.sandboxes().size() == 1);
}

TEST_CASE("no group is guessed for a sandbox of which nothing is known") {
    Left left;
    auto& world = left.world;
    world.shim("web").die();
    put(world.folder("web") + "/record.json", "{");
    REQUIRE(::unlink((world.folder("web") + "/sandbox.json").c_str()) == 0);
    Daemon daemon(world);
    CHECK(daemon.engine.sandbox("web").facts.state == core::SandboxState::unknown);
    CHECK(daemon.engine.sandbox("web").facts.cgroup.empty());
    CHECK(daemon.engine.container("nginx").facts.exit->reason == "shim died");
    daemon.run(daemon.engine.delete_sandbox("web", true));
    CHECK(world.killed_groups.empty());
    CHECK_FALSE(exists(world.folder("web")));
}

TEST_CASE("a container whose record cannot be read is unknown, and ended by a forced deletion") {
    const std::string how = GENERATE(as<std::string>{}, "cut", "gone", "FIFO", "folder", "symlink");
    CAPTURE(how);
    Left left;
    auto& world = left.world;
    make_unreadable(world.folder("web") + kContainer + "/record.json", how);
    Daemon daemon(world);
    CHECK(daemon.engine.sandbox("web").facts.state == core::SandboxState::ready);
    const auto view = daemon.engine.container("nginx");
    CHECK(view.facts.state == core::ContainerState::unknown);
    CHECK(view.facts.pid == 1001);
    CHECK_FALSE(view.problem.empty());
    CHECK(code_of([&] { return daemon.run(daemon.engine.delete_container("nginx", false)); }) ==
          Code::failed_precondition);
    daemon.run(daemon.engine.delete_container("nginx", true));
    CHECK(world.shim("web").containers.empty());
    CHECK_FALSE(exists(world.folder("web") + kContainer));
    CHECK(daemon.event_lines(6) == Lines{"container.exited nginx", "container.deleted nginx"});
}

TEST_CASE("a container whose folder was removed while it runs is unknown, not undone") {
    Left left;
    auto& world = left.world;
    sys::remove_tree_at(sys::kCwd, world.folder("web") + kContainer).or_throw("remove");
    Daemon daemon(world);
    CHECK(daemon.engine.container("nginx").facts.state == core::ContainerState::unknown);
    CHECK(world.shim("web").containers.at("nginx").state == core::ContainerState::running);
    daemon.run(daemon.engine.delete_container("nginx", true));
    CHECK(world.shim("web").containers.empty());
}

TEST_CASE("a shim that was stopped is named within seconds, and its sandbox can be deleted") {
    World world;
    world.shims_have_processes = true;
    Daemon daemon(world);
    make_pod(daemon);
    auto& shim = world.shim("web");
    shim.script = [](const core::RequestBody&) { return FakeShim::Script::silent; };
    REQUIRE(::kill(shim.pid(), SIGSTOP) == 0);
    const auto begun = std::chrono::steady_clock::now();
    try {
        daemon.run(daemon.engine.kill_container({"nginx", SIGTERM, false, {}}));
        FAIL("a stopped shim has answered");
    } catch (const Error& error) {
        CHECK(error.code() == Code::unavailable);
        CHECK(error.detail().find("stopped (state T)") != std::string::npos);
        CHECK(error.fix().find("kill -CONT " + std::to_string(shim.pid())) != std::string::npos);
    }
    daemon.run(daemon.engine.delete_sandbox("web", true));
    CHECK(std::chrono::steady_clock::now() - begun < 8s);
    CHECK_FALSE(shim.process_runs());
    CHECK(daemon.engine.sandboxes().empty());
}

TEST_CASE("an end that only the shim knows of is asked for") {
    World world;
    Daemon daemon(world);
    make_pod(daemon);
    auto& shim = world.shim("web");
    shim.tell_events = false;
    shim.exit_container("nginx", 3);
    shim.tell_events = true;
    daemon.run(daemon.engine.delete_container("nginx", true));
    CHECK(daemon.event_lines(4) == Lines{"container.exited nginx", "container.deleted nginx"});
}

TEST_CASE("a sandbox with neither record is not deleted while a group of its name is there") {
    Left left;
    auto& world = left.world;
    world.shim("web").die();
    put(world.folder("web") + "/record.json", "{");
    REQUIRE(::unlink((world.folder("web") + "/sandbox.json").c_str()) == 0);
    world.host.unified = world.root + "/tree";
    const std::string group =
        GENERATE(as<std::string>{}, "/own/slice/web.pod", "/covey/db.pod/a.ctr/web.pod", "");
    CAPTURE(group);
    std::filesystem::create_directories(world.host.unified + group);
    Daemon daemon(world);
    std::string refusal;
    try {
        daemon.run(daemon.engine.delete_sandbox("web", true));
    } catch (const Error& error) {
        CHECK(error.code() == Code::failed_precondition);
        refusal = error.detail();
    }
    const bool may_be_its = group.starts_with("/own");
    CHECK(refusal.empty() != may_be_its);
    if (may_be_its) CHECK(refusal.find(group) != std::string::npos);
    CHECK(world.killed_groups.empty());
    CHECK(exists(world.folder("web")) == may_be_its);
}
