// What a parent believes of a launch: every word in every state, from everybody.
#include "launch/hand_shake.hpp"

#include "catch.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <array>
#include <initializer_list>
#include <string>
#include <utility>
#include <variant>

#include <fcntl.h>
#include <stdlib.h>

using namespace covey;
using launch::HandShake;
using From = HandShake::From;

namespace {

constexpr pid_t kLauncher = 10, kInit = 20, kBetween = 30, kSpawner = 40, kThief = 666;

UniqueFd any_fd() {
    return sys::open("/dev/null", O_RDWR).or_throw("open", "/dev/null");
}

/// The launch of a container into pid mode pod, unless `expect` says otherwise.
class Parent {
  public:
    explicit Parent(HandShake::Expect expect = {}, pid_t launcher = kLauncher, pid_t spawner = 0)
        : machine_(expect, launcher, spawner, [](pid_t pid, bool in_group) {
              const bool ours = pid == kLauncher || pid == kInit ||
                                (!in_group && (pid == kBetween || pid == kSpawner));
              return ours ? any_fd() : UniqueFd{};
          }) {}

    Parent& says(From from, pid_t sender, const std::string& text, std::size_t descriptors = 0) {
        sys::Packet packet;
        packet.data = text;
        packet.sender = sender;
        for (std::size_t i = 0; i < descriptors; ++i)
            packet.fds.push_back(any_fd());
        return note(machine_.take(from, std::move(packet)));
    }
    Parent& launcher(const std::string& text) { return says(From::launcher, kLauncher, text); }
    Parent& init(const std::string& text) { return says(From::newborn, kInit, text); }
    Parent& prepared() { return launcher(kPrepared); }
    Parent& ended(From from) { return note(machine_.ended(from)); }
    Parent& refused(From from) {
        return note(machine_.refuse(from, Error(Code::internal, "too large")));
    }
    Parent& gone() { return note(machine_.launcher_gone()); }
    Parent& expired() { return note(machine_.expired()); }
    /// What was told since the last call.
    std::string heard() { return std::exchange(words_, {}); }

    static inline const std::string kPrepared{"P0\0000\0000\0000\0001\0/bin/x\0000\0", 20};

  private:
    Parent& note(const launch::Steps& steps) {
        for (const auto& step : steps)
            words_ += word(step) + ";";
        return *this;
    }
    static std::string word(const launch::Step& step) {
        static constexpr std::array kNames{"born",   "ready",  "executed", "lost",
                                           "failed", "helper", "spawner",  "hooks",
                                           "still",  "go on",  "agent",    "listener"};
        if (const auto* failed = std::get_if<launch::Failed>(&step))
            return "failed: " + failed->error.detail();
        return kNames.at(step.index());
    }

    HandShake machine_;
    std::string words_;
};

std::string failure(const std::string& text) {
    return std::string{"Finternal"} + '\0' + "0" + '\0' + text + '\0' + '\0';
}

}  // namespace

TEST_CASE("a launch that goes well is told step by step") {
    Parent parent;
    CHECK(parent.prepared().heard().empty());
    CHECK(parent.ended(From::launcher).heard().empty());
    CHECK(parent.init("I").heard() == "born;");
    CHECK(parent.gone().heard().empty());
    CHECK(parent.init("R").heard() == "ready;");
    CHECK(parent.ended(From::newborn).heard() == "executed;");
}

TEST_CASE("an exec has no gate") {
    Parent parent{{.gate = false}};
    CHECK(parent.prepared().init("I").ended(From::newborn).heard() == "born;executed;");
    Parent other{{.gate = false}};
    CHECK(other.prepared().init("I").init("R").heard() == "born;lost;");
}

TEST_CASE("nobody is believed but the launcher and the process that it brought forth") {
    for (const auto from : {From::launcher, From::newborn})
        for (const std::string word :
             {"I", "R", "N", "D", "H", "L", "S", "B", "A", "T", "G", "?", ""}) {
            CAPTURE(static_cast<int>(from), word);
            Parent parent;
            parent.prepared();
            CHECK(parent.says(from, kThief, word, word == "L" ? 1 : 0)
                      .heard()
                      .starts_with("failed: "));
            // And it stays so.
            CHECK(parent.init("R").heard().empty());
        }
}

TEST_CASE("the launcher is not init, nor init the launcher") {
    Parent parent;
    CHECK(parent.prepared().says(From::newborn, kLauncher, "I").heard().starts_with("failed: "));
    Parent other;
    CHECK(other.prepared()
              .init("I")
              .says(From::launcher, kInit, "D")
              .heard()
              .starts_with("born;failed: "));
}

TEST_CASE("a terminal comes with Ready, and nothing of init's before it is born") {
    const auto take = [](HandShake& machine, From from, pid_t sender, std::string text,
                         int fd = -1) {
        sys::Packet packet;
        packet.data = std::move(text);
        packet.sender = sender;
        if (fd >= 0) packet.fds.emplace_back(fd);
        return machine.take(from, std::move(packet));
    };
    const auto known = [](pid_t, bool) { return any_fd(); };
    for (const bool ends_first : {false, true}) {
        // The launcher's channel may end before or after init is heard.
        HandShake machine({.makes_world = true}, kLauncher, 0, known);
        (void)take(machine, From::launcher, kLauncher, Parent::kPrepared);
        if (ends_first) (void)machine.ended(From::launcher);
        REQUIRE(
            std::holds_alternative<launch::Born>(take(machine, From::newborn, kInit, "I").front()));
        CHECK(take(machine, From::newborn, kInit, "T", ::posix_openpt(O_RDWR | O_NOCTTY)).empty());
        if (!ends_first) (void)machine.ended(From::launcher);
        auto ready = take(machine, From::newborn, kInit, "R");
        REQUIRE(ready.size() == 1);
        CHECK(std::get<launch::AtGate>(ready.front()).terminal.valid());
    }
    Parent early;
    CHECK(early.init("R").heard().starts_with("failed: "));
}

TEST_CASE("each word counts once") {
    Parent parent;
    CHECK(parent.prepared().prepared().heard() ==
          "failed: Prepared in a launch's hand-shake, where it is not due;");
    Parent twice;
    CHECK(twice.prepared().init("I").init("I").heard() ==
          "born;failed: Alive in a launch's hand-shake, where it is not due;");
    Parent ready;
    CHECK(ready.prepared().init("I").init("R").init("R").heard() == "born;ready;lost;");
}

TEST_CASE("what is not due fails the launch") {
    for (const auto* word : {"N", "D", "H"}) {
        CAPTURE(word);
        Parent parent;
        CHECK(parent.prepared().launcher(word).heard().starts_with("failed: "));
    }
    Parent early;
    CHECK(early.init("I").heard() ==
          "failed: Alive in a launch's hand-shake, where it is not due;");
    Parent unready;
    CHECK(unready.prepared().init("R").heard().starts_with("failed: process 20"));
}

TEST_CASE("neighbours stand still from NeighboursDue to Dropped") {
    const std::string between{"B30\0", 4};
    Parent parent{{.nests = true}};
    CHECK(parent.prepared().launcher("N").heard() == "still;");
    CHECK(parent.launcher("N").heard().starts_with("failed: NeighboursDue"));
    Parent good{{.nests = true}};
    good.prepared().launcher("N").heard();
    CHECK(good.launcher(between).heard() == "helper;");
    CHECK(good.init("I").launcher("D").init("R").heard() == "born;go on;ready;");
    Parent early{{.nests = true}};
    CHECK(early.prepared().launcher("D").heard().starts_with("failed: Dropped"));
    Parent foreign{{.nests = true}};
    foreign.prepared().launcher("N").heard();
    CHECK(foreign.launcher(std::string{"B666\0", 5}).heard().starts_with("failed: process 666"));
}

TEST_CASE("hooks are run for the maker of the world alone") {
    Parent parent{{.hooks = true}};
    CHECK(parent.launcher("H").heard() == "hooks;");
    CHECK(parent.launcher("H").heard().starts_with("failed: HooksDue"));
    Parent own{{.hooks = true, .makes_world = true}};
    CHECK(own.prepared().init("I").init("H").heard() == "born;hooks;");
    Parent other{{.hooks = true}};
    CHECK(other.prepared().init("I").init("H").heard().starts_with("born;failed: HooksDue"));
}

TEST_CASE("a descriptor that nobody announced, or of another kind, fails the launch") {
    Parent more;
    CHECK(more.prepared().says(From::newborn, kInit, "I", 1).heard().starts_with("failed: "));
    Parent terminal{{.makes_world = true}};
    CHECK(terminal.prepared().init("I").says(From::newborn, kInit, "T", 1).heard() ==
          "born;failed: what is no master of a terminal in a launch's hand-shake;");
    Parent listener{{.listener = true}};
    CHECK(listener.prepared().says(From::launcher, kLauncher, "L", 1).heard() ==
          "failed: what is no seccomp listener in a launch's hand-shake;");
}

TEST_CASE("an empty packet is no end of the channel") {
    Parent parent;
    CHECK(parent.prepared().init("I").init("").heard() ==
          "born;failed: empty message in a launch's hand-shake;");
}

TEST_CASE("behind Ready a thief of the channel is not heard any more, and fails nothing") {
    Parent parent;
    parent.prepared().init("I").init("R").heard();
    CHECK(parent.says(From::newborn, kThief, failure("a lie")).heard() == "lost;");
    CHECK(parent.ended(From::newborn).heard() == "executed;");
    Parent exec{{.gate = false}};
    exec.prepared().init("I").heard();
    CHECK(exec.says(From::newborn, kThief, "").heard() == "lost;");
}

TEST_CASE("behind Ready nothing that is said through init ends the launch") {
    // Its tracer may let it say what he likes; seen keeping `start` without an answer.
    for (const std::string word : {"I", "R", "T", "L", "H", "", "?", "F"}) {
        CAPTURE(word);
        Parent parent;
        parent.prepared().init("I").init("R").heard();
        CHECK(parent.init(word).heard() == "lost;");
        CHECK(parent.ended(From::newborn).heard() == "executed;");
    }
    Parent failed;
    failed.prepared().init("I").init("R").heard();
    CHECK(failed.init(failure("a lie")).heard() == "failed: a lie;");
    CHECK(failed.init(failure("another")).heard() == "lost;");
    CHECK(failed.ended(From::newborn).heard() == "executed;");
}

TEST_CASE("a launcher's failure is told when it has ended") {
    Parent parent;
    CHECK(parent.launcher(failure("no root")).heard().empty());
    CHECK(parent.gone().heard() == "failed: no root;");
    Parent late;
    CHECK(late.gone().launcher(failure("no root")).heard() == "failed: no root;");
}

TEST_CASE("behind the end of its own channel the launcher fails on the newborn's") {
    Parent parent;
    parent.prepared().ended(From::launcher);
    CHECK(parent.says(From::newborn, kLauncher, failure("no pids")).heard().empty());
    CHECK(parent.ended(From::newborn).gone().heard() == "failed: no pids;");
}

TEST_CASE("init's failure is told at once, and nothing after it") {
    Parent parent;
    CHECK(parent.prepared().init("I").init(failure("no world")).heard() ==
          "born;failed: no world;");
    CHECK(parent.ended(From::newborn).gone().heard().empty());
    Parent exec{{.gate = false}};
    CHECK(exec.prepared().init("I").init(failure("no exec")).heard() == "born;failed: no exec;");
    CHECK(exec.ended(From::newborn).gone().heard().empty());
}

TEST_CASE("a launcher that ends without a word is told as such, once") {
    Parent parent;
    CHECK(parent.prepared().ended(From::launcher).ended(From::newborn).heard().empty());
    CHECK(parent.gone().heard() == "failed: the launcher ended without a word;");
    Parent other;
    CHECK(other.gone().ended(From::launcher).ended(From::newborn).heard() ==
          "failed: the launcher ended without a word;");
}

TEST_CASE("an end of the channel before Ready is no execution") {
    Parent parent;
    CHECK(parent.prepared().init("I").ended(From::newborn).heard() ==
          "born;failed: init ended before it was ready;");
}

TEST_CASE("a launcher that ends while somebody is privileged has failed") {
    Parent parent{{.nests = true}};
    parent.prepared().launcher("N").launcher(std::string{"B30\0", 4}).init("I").heard();
    CHECK(parent.gone().heard() == "failed: the launcher ended without a word;");
}

TEST_CASE("a packet that is too large fails a launch, and behind Ready nothing") {
    Parent parent;
    parent.prepared().init("I").heard();
    CHECK(parent.refused(From::newborn).heard() == "failed: too large;");
    Parent ready;
    ready.prepared().init("I").init("R").heard();
    CHECK(ready.refused(From::newborn).heard() == "lost;");
}

TEST_CASE("an init that is heard when all is over is told, to be reaped") {
    Parent parent;
    CHECK(parent.prepared().expired().heard().starts_with("failed: the launch took too long"));
    CHECK(parent.init("I").heard() == "born;");
    CHECK(parent.init("R").heard().empty());
}

TEST_CASE("of a spawner's launch the first child that speaks is the launcher") {
    Parent parent{{.gate = false}, 0, kSpawner};
    CHECK(parent.prepared().heard() == "helper;");
    CHECK(parent.init("I").ended(From::newborn).heard() == "born;executed;");
    Parent foreign{{.gate = false}, 0, kSpawner};
    CHECK(foreign.says(From::launcher, kThief, Parent::kPrepared)
              .heard()
              .starts_with("failed: process 666"));
    Parent none{{.gate = false}, 0, kSpawner};
    CHECK(none.says(From::launcher, kSpawner, failure("no clone")).heard() == "failed: no clone;");
    Parent never{{.gate = false}, 0, kSpawner};
    CHECK(never.ended(From::launcher).ended(From::newborn).heard() ==
          "failed: the launcher ended without a word;");
}

TEST_CASE("what a failure says is bounded and printable") {
    Parent parent;
    parent.prepared().init("I").heard();
    CHECK(parent.init(failure("a\x1b[31mb\n\xff")).heard() == "failed: a?[31mb??;");
    Parent full;
    full.prepared().init("I").heard();
    CHECK(full.init(failure(std::string(100'000, 'x'))).heard().size() < 10'000);
    Parent cut;
    cut.prepared().init("I").heard();
    CHECK(cut.init("Finternal").heard() == "failed: cut message in a launch's hand-shake;");
}
