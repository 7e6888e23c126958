// The hand-shake of a launch as the shim hears it: launcher and init share their end of the socket,
// so what they say comes in either order.
#include "catch.hpp"
#include "launch/message.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"
#include "task/launching.hpp"

#include <chrono>
#include <csignal>

#include <unistd.h>

using namespace covey;

namespace {

struct World {
    task::Loop loop;
    task::Reaper reaper{loop};
    task::Owner owner{loop, "launch", {}};
};

struct Heard {
    std::string words;
    task::Launching::Callbacks callbacks() {
        return {
            [this](const launch::Born& born) { words += "born " + std::to_string(born.pid) + ";"; },
            [this](const UniqueFd& terminal) {
                words += terminal ? "ready with terminal;" : "ready;";
            },
            [this](const Error& error) { words += error.detail() + ";"; },
            [this] { words += "closed;"; },
            [this] { words += "launcher ended;"; },
            [this] { words += "neighbours due;"; },
            [this] { words += "dropped;"; },
            [this](const launch::Spawner&) { words += "spawner;"; },
            [this](const UniqueFd&) { words += "listener;"; }};
    }
};

UniqueFd own_pidfd() {
    return sys::pidfd_open(::getpid()).or_throw("pidfd_open", "self");
}

launch::Born birth() {
    launch::Born born;
    born.pid = 7;
    born.pidfd = own_pidfd();
    return born;
}

}  // namespace

TEST_CASE("an init that is ready before its launcher tells its birth is heard after it") {
    World world;
    Heard heard;
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    task::Launching launching{world.owner, world.reaper, std::move(sockets.parent), own_pidfd(),
                              heard.callbacks()};
    const auto terminal = own_pidfd();
    launch::send_ready(sockets.child, terminal);
    launching.drain();
    CHECK(heard.words.empty());
    launch::send_born(sockets.child, birth());
    launching.drain();
    CHECK(heard.words == "born 7;ready with terminal;");
    sockets.child.reset();
    launching.drain();
    CHECK(heard.words == "born 7;ready with terminal;closed;");
}

TEST_CASE("a launcher that ends without a word is told as such, once") {
    World world;
    Heard heard;
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    task::Launching launching{world.owner, world.reaper, std::move(sockets.parent), own_pidfd(),
                              heard.callbacks()};
    launch::send_ready(sockets.child, FdRef{-1});
    sockets.child.reset();
    launching.drain();
    launching.drain();
    CHECK(heard.words == "the launcher ended without a word;");
}

TEST_CASE("what is no message of the hand-shake fails the launch") {
    World world;
    Heard heard;
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    task::Launching launching{world.owner, world.reaper, std::move(sockets.parent), own_pidfd(),
                              heard.callbacks()};
    launch::send_born(sockets.child, birth());
    sys::send_packet(sockets.child, "?").or_throw("send");
    launching.drain();
    CHECK(heard.words == "born 7;unknown message in a launch's hand-shake;");
}

TEST_CASE("an init that fails before its launcher tells its birth is heard when it is known") {
    World world;
    Heard heard;
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    auto launcher = sys::clone_process({0, SIGCHLD, FdRef{-1}}).or_throw("clone", "launcher");
    if (launcher.pid == 0) {
        launch::send_failed(sockets.child, Error(Code::internal, "init fails"));
        launch::send_born(sockets.child, birth());
        ::_exit(0);
    }
    task::Launching launching{world.owner, world.reaper, std::move(sockets.parent),
                              std::move(launcher.pidfd), heard.callbacks()};
    const auto end = world.owner.after(std::chrono::milliseconds{100}, [&] { world.loop.stop(); });
    world.loop.run();
    CHECK(heard.words == "born 7;init fails;launcher ended;");
}
