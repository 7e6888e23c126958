#include "catch.hpp"
#include "engine/event_log.hpp"
#include "unit/engine/world.hpp"

using namespace covey;
using namespace covey::test;
using namespace std::chrono_literals;

namespace {

void make_noise(Daemon& daemon, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        daemon.run(daemon.engine.create_container(container_action("c", "web")));
        daemon.run(daemon.engine.delete_container("c", true));
    }
}

}  // namespace

TEST_CASE("an event is the same after it was written and read") {
    daemon::EventRecord event;
    event.time = 5;
    event.type = "exec.exited";
    event.sandbox = "web";
    event.container = "nginx";
    event.exec = "e";
    event.pid = 10;
    event.pod_pid = 2;
    event.exit = core::ExitRecord{137, 9, true, 77, "why \"so\""};
    const auto back = daemon::decode_event(3, daemon::encode_event(event));
    CHECK(back.seq == 3);
    CHECK(back.time == 5);
    CHECK(back.exec == "e");
    CHECK(back.pod_pid == 2);
    CHECK(back.exit->reason == "why \"so\"");
    CHECK(back.exit->oom_killed);
}

TEST_CASE("a reader gets what is kept, waits for what comes, and is told when time is over") {
    World world;
    Daemon daemon(world);
    const auto reader = daemon.engine.events(0);
    CHECK_FALSE(daemon.run(reader->next(1ms)));
    auto next = daemon.begin(reader->next(10s));
    daemon.settle();
    CHECK_FALSE(next->ended);
    daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
    CHECK(daemon.finish(next)->type == "sandbox.created");
    CHECK(daemon.run(reader->next(0ms))->type == "sandbox.ready");
    CHECK(daemon.engine.newest_event() == 2);
    CHECK_FALSE(daemon.run(daemon.engine.events(2)->next(0ms)));
}

TEST_CASE("a reader that is too far behind is told, and so is one from the future") {
    World world;
    daemon::EngineConfig config;
    config.events_kept = 8;
    Daemon daemon(world, config);
    daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
    const auto slow = daemon.engine.events(0);
    make_noise(daemon, 10);
    CHECK(code_of([&] { return daemon.run(slow->next(0ms)); }) == Code::compacted);
    CHECK(code_of([&] { return daemon.engine.events(1); }) == Code::compacted);
    CHECK(code_of([&] { return daemon.engine.events(1000); }) == Code::compacted);
    const auto newest = daemon.engine.newest_event();
    CHECK(daemon.event_records(newest - 8).size() == 8);
}

TEST_CASE("the log goes on where it was after a restart, also when most of it was dropped") {
    World world;
    daemon::EngineConfig config;
    config.events_kept = 8;
    std::uint64_t newest = 0;
    {
        Daemon daemon(world, config);
        daemon.run(daemon.engine.create_sandbox(sandbox_action("web")));
        daemon.run(daemon.engine.create_container(container_action("old", "web")));
        make_noise(daemon, 10);
        newest = daemon.engine.newest_event();
    }
    Daemon daemon(world, config);
    // The creation of "web" and "old" is no longer kept, but must not be told again.
    CHECK(daemon.engine.newest_event() == newest);
    CHECK(daemon.engine.container("old").facts.state == core::ContainerState::created);
}
