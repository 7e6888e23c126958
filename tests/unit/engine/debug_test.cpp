// Debuggers: what the shim is asked for, and how their time ends, over restarts too.
#include "catch.hpp"
#include "sys/file.hpp"
#include "unit/engine/world.hpp"

#include <chrono>

using namespace covey;
using namespace covey::test;
using namespace std::chrono_literals;
using Script = FakeShim::Script;
using daemon::DebugAction;
using daemon::DebugProfile;

namespace {

constexpr std::uint64_t kSysPtrace = 1U << 19U;

DebugAction debugger(const World& world, const std::string& id = "d") {
    DebugAction action;
    action.sandbox = "web";
    action.id = id;
    action.tools = world.root;  // any folder
    return action;
}

void pod_with_app(Daemon& daemon, spec::Access access = spec::kOpen) {
    auto sandbox = sandbox_action("web");
    sandbox.access = access;
    daemon.run(daemon.engine.create_sandbox(sandbox));
    daemon.run(daemon.engine.create_container(container_action("app", "web")));
    daemon.run(daemon.engine.start_container("app"));
}

struct DebuggedPod {
    World world;
    Daemon daemon{world};
    DebuggedPod() { pod_with_app(daemon, spec::kPrivate); }
    daemon::ContainerView make(const DebugAction& action) {
        return daemon.run(daemon.engine.debug(action));
    }
    [[nodiscard]] const core::ContainerConfig& asked(const std::string& id = "d") {
        return world.shim("web").containers.at(id).config;
    }
    [[nodiscard]] std::string config(const std::string& id = "d") const {
        return sys::read_file(world.folder("web") + "/containers/" + id + "/config.json")
            .or_throw("read", "config.json");
    }
};

bool is_there(Daemon& daemon, const std::string& id = "d") {
    for (const auto& view : daemon.engine.containers())
        if (view.request.id == id) return true;
    return false;
}

/// Lets the time pass; what was to happen by then has happened.
void pass(Daemon& daemon, std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    daemon.run_until([&] { return std::chrono::steady_clock::now() >= end; });
    daemon.settle();
}

daemon::ExecAction exec_in(const std::string& container) {
    daemon::ExecAction action;
    action.container = container;
    action.command = {"sh"};
    return action;
}

}  // namespace

TEST_CASE("a debugger holds, open, in the pod's namespace, whatever the sandbox's defaults are") {
    DebuggedPod pod;
    auto action = debugger(pod.world);
    action.target = "app";
    const auto view = pod.make(action);
    CHECK(view.facts.state == core::ContainerState::running);
    const auto asked = pod.asked();  // a copy: the fake shim forgets it below
    CHECK(asked.pid_mode == spec::PidMode::pod);
    CHECK(asked.target.empty());
    CHECK(asked.view == "app");
    CHECK(asked.holds);
    CHECK(asked.access == spec::kOpen);
    CHECK(asked.bundle == pod.world.folder("web") + "/containers/d");
    CHECK(asked.add_capabilities == kSysPtrace);
    REQUIRE(view.request.debug);
    CHECK(view.request.debug->tools == pod.world.root);
    const auto config = pod.config();
    CHECK(config.find("\"readonly\": true") != std::string::npos);
    CHECK(config.find("\"path\": \"" + pod.world.root + "\"") != std::string::npos);
    CHECK(config.find("CAP_CHOWN") != std::string::npos);
    pod.daemon.run(pod.daemon.engine.delete_container("d", true));
    CHECK_FALSE(sys::stat_at(sys::kCwd, asked.bundle));
}

TEST_CASE("a debugger in mode target joins the one that it shows") {
    DebuggedPod pod;
    auto action = debugger(pod.world);
    action.target = "app";
    action.joins_target = true;
    action.command = {"top"};
    pod.make(action);
    CHECK(pod.asked().pid_mode == spec::PidMode::target);
    CHECK(pod.asked().target == "app");
    CHECK(pod.asked().view == "app");
    CHECK_FALSE(pod.asked().holds);
    CHECK(pod.config().find("\"top\"") != std::string::npos);
}

TEST_CASE("what the profiles give") {
    DebuggedPod pod;
    auto restricted = debugger(pod.world, "r");
    restricted.profile = DebugProfile::restricted;
    pod.make(restricted);
    CHECK(pod.asked("r").add_capabilities == 0);
    const auto config = pod.config("r");
    CHECK(config.find("CAP_") == std::string::npos);
    CHECK(config.find("\"noNewPrivileges\": true") != std::string::npos);
    CHECK(config.find("\"uid\": 65532") != std::string::npos);
    CHECK(config.find("\"gid\": 65532") != std::string::npos);

    auto general = debugger(pod.world, "g");
    general.add_capabilities = 1U << 13U;
    general.drop_capabilities = 1U;
    general.uid = 7;
    pod.make(general);
    CHECK(pod.asked("g").add_capabilities == (kSysPtrace | 1U << 13U));
    CHECK(pod.asked("g").drop_capabilities == 1U);
    CHECK(pod.config("g").find("\"uid\": 7") != std::string::npos);
    CHECK(pod.config("g").find("\"noNewPrivileges\": false") != std::string::npos);
}

TEST_CASE("a debugger ends with its time") {
    DebuggedPod pod;
    auto action = debugger(pod.world);
    action.ttl = 500ms;  // more than what is to be done before, on a busy machine too
    pod.make(action);
    pass(pod.daemon, 20ms);
    CHECK(is_there(pod.daemon));
    pod.daemon.run_until([&] { return !is_there(pod.daemon); });
    const auto lines = pod.daemon.event_lines();
    CHECK(lines.back() == "container.deleted d");
    CHECK(is_there(pod.daemon, "app"));
}

TEST_CASE("a debugger's time goes on while there is no daemon") {
    World world;
    {
        Daemon daemon(world);
        pod_with_app(daemon);
        auto action = debugger(world);
        action.ttl = 50ms;
        daemon.run(daemon.engine.debug(action));
        auto other = debugger(world, "long");
        other.ttl = 1h;
        daemon.run(daemon.engine.debug(other));
    }
    Daemon daemon(world);
    daemon.run_until([&] { return !is_there(daemon); });
    pass(daemon, 20ms);
    CHECK(is_there(daemon, "long"));
    CHECK(daemon.engine.container("long").request.debug->tools == world.root);
}

TEST_CASE("a debugger is removed when it has ended, if that was wished") {
    DebuggedPod pod;
    auto action = debugger(pod.world);
    action.command = {"true"};
    action.remove = true;
    pod.make(action);
    auto kept = debugger(pod.world, "kept");
    kept.command = {"true"};
    pod.make(kept);
    pod.world.shim("web").exit_container("d", 3);
    pod.world.shim("web").exit_container("kept", 3);
    pod.daemon.run_until([&] { return !is_there(pod.daemon); });
    pass(pod.daemon, 20ms);
    CHECK(is_there(pod.daemon, "kept"));
}

TEST_CASE("one that holds is removed behind its last exec, if that was wished") {
    DebuggedPod pod;
    auto action = debugger(pod.world);
    action.remove = true;
    pod.make(action);
    auto kept = debugger(pod.world, "kept");
    pod.make(kept);
    auto& engine = pod.daemon.engine;
    const auto first = pod.daemon.run(engine.exec(exec_in("d")));
    const auto second = pod.daemon.run(engine.exec(exec_in("d")));
    const auto other = pod.daemon.run(engine.exec(exec_in("kept")));
    auto& shim = pod.world.shim("web");
    shim.end_exec("kept", other->facts().exec, 0);
    shim.end_exec("d", first->facts().exec, 0);
    pass(pod.daemon, 20ms);
    CHECK(is_there(pod.daemon));
    shim.end_exec("d", second->facts().exec, 0);
    pod.daemon.run_until([&] { return !is_there(pod.daemon); });
    CHECK(is_there(pod.daemon, "kept"));
}

TEST_CASE("one whose last exec ended with the daemon, or while there was none, goes too") {
    World world;
    {
        Daemon daemon(world);
        pod_with_app(daemon);
        auto action = debugger(world);
        action.remove = true;
        daemon.run(daemon.engine.debug(action));
        const auto session = daemon.run(daemon.engine.exec(exec_in("d")));
    }
    SECTION("it ran on") {
    }
    SECTION("it ended meanwhile") {
        if (!world.shim("web").execs.empty())
            world.shim("web").end_exec("d", world.shim("web").execs.begin()->first, 0);
    }
    Daemon daemon(world);
    daemon.run_until([&] { return !is_there(daemon); });
}

TEST_CASE("nothing is left of a debugger that does not start, or of whose start nobody heard") {
    World world;
    SECTION("it fails") {
        world.script = [](const core::RequestBody& body) {
            return std::holds_alternative<core::StartContainer>(body) ? Script::fail : Script::obey;
        };
        Daemon daemon(world);
        daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
        CHECK_THROWS_AS(daemon.run(daemon.engine.debug(debugger(world))), Error);
        CHECK_FALSE(is_there(daemon));
        CHECK(world.shim("web").containers.empty());
        return;
    }
    SECTION("the daemon ends in between") {
        world.script = [](const core::RequestBody& body) {
            return std::holds_alternative<core::StartContainer>(body) ? Script::silent
                                                                      : Script::obey;
        };
        {
            Daemon daemon(world);
            daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
            (void)daemon.begin(daemon.engine.debug(debugger(world)));
            daemon.run_until([&] { return world.shim("web").requests.back() == "startContainer"; });
        }
        Daemon daemon(world);
        daemon.run_until([&] { return !is_there(daemon); });
        CHECK(world.shim("web").containers.empty());
    }
}

TEST_CASE("what cannot be a debugger is refused before the shim hears of it") {
    DebuggedPod pod;
    const auto requests = pod.world.shim("web").requests.size();
    const auto refused = [&](const DebugAction& action) {
        return code_of([&] { return pod.make(action); });
    };
    auto action = debugger(pod.world);
    action.sandbox = "nope";
    CHECK(refused(action) == Code::not_found);
    action = debugger(pod.world, "../a");
    CHECK(refused(action) == Code::invalid_argument);
    action = debugger(pod.world, "app");
    CHECK(refused(action) == Code::already_exists);
    action = debugger(pod.world);
    action.tools = pod.world.root + "/none";
    CHECK(refused(action) == Code::not_found);
    action.tools = pod.world.root + "/events.ndjson";
    CHECK(refused(action) == Code::invalid_argument);
    CHECK(pod.world.shim("web").requests.size() == requests);
    CHECK(pod.make(debugger(pod.world, "")).request.id.starts_with("debug-"));
}
