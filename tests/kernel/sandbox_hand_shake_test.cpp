// A launch as its parent hears it on its loop, with real processes at the other ends: who speaks is
// what the kernel says, whoever holds the channel. (What counts when: tests/unit/launch.)
#include "catch.hpp"
#include "kernel/cgroup_tree.hpp"
#include "launch/message.hpp"
#include "sys/file.hpp"
#include "sys/process.hpp"
#include "task/launching.hpp"

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <string>

#include <linux/sched.h>
#include <unistd.h>

using namespace covey;
using namespace covey::test;

namespace {

constexpr std::chrono::seconds kLongest{10};

/// A launcher of the test's own in a group of its own, and what the parent hears of it.
class Launch {
  public:
    /// `launcher` runs in a child; it may end with status 0 by returning.
    explicit Launch(const std::function<void(const launch::ChannelRefs&)>& launcher,
                    launch::HandShake::Expect expect = {})
        : group_(tree_.create("launch")) {
        auto channels = launch::make_channels();
        // A copy for a thief, as pidfd_getfd(2) gives it.
        stolen_ = sys::duplicate(channels.child.newborn).or_throw("dup");
        auto child =
            sys::clone_process({0, SIGCHLD, group_.clone_target()}).or_throw("clone", "launcher");
        if (child.pid == 0) {
            launcher(channels.child);
            ::_exit(0);
        }
        channels.child = {};
        task::Launching::Order order;
        order.channels = std::move(channels.parent);
        order.launcher = std::move(child);
        order.expect = expect;
        order.recognize = task::children_in(&tree_.host(), group_.path());
        launching_ =
            std::make_unique<task::Launching>(owner_, reaper_, std::move(order), callbacks());
    }
    ~Launch() {
        if (init_) {
            (void)sys::pidfd_send_signal(init_, SIGKILL);
            (void)sys::wait_process(init_);
        }
        group_.kill();
        (void)group_.wait_empty(kLongest);
        tree_.reap();
        group_.remove();
    }
    Launch(const Launch&) = delete;
    Launch& operator=(const Launch&) = delete;

    /// All that is told until `word` is.
    std::string hear_until(const std::string& word) {
        const auto limit = owner_.after(kLongest, [this] { loop_.stop(); });
        until_ = word;
        loop_.run();
        return words_;
    }
    void run_for(std::chrono::milliseconds time) {
        const auto end = owner_.after(time, [this] { loop_.stop(); });
        loop_.run();
    }
    [[nodiscard]] const UniqueFd& stolen() const { return stolen_; }
    void drop_stolen() { stolen_.reset(); }
    [[nodiscard]] task::Launching& launching() { return *launching_; }

  private:
    void hear(const std::string& word) {
        words_ += word + ";";
        if (word.starts_with(until_)) loop_.stop();
    }
    task::Launching::Callbacks callbacks() {
        return {.born =
                    [this](launch::Born born) {
                        init_ = std::move(born.pidfd);
                        hear("born");
                    },
                .ready = [this](const UniqueFd&) { hear("ready"); },
                .failed = [this](const Error& error) { hear("failed: " + error.detail()); },
                .executed = [this] { hear("executed"); },
                .launcher_ended = [this] { hear("launcher ended"); },
                .neighbours_due = {},
                .dropped = {},
                .hooks_due = {},
                .spawner = {},
                .agent = {},
                .listener = {}};
    }

    CgroupTree tree_;
    cgroup::Group group_;
    UniqueFd stolen_, init_;
    task::Loop loop_;
    task::Owner owner_{loop_, "launch", {}};
    task::Reaper reaper_{loop_};
    // Whoever ends is reaped by the test.
    task::Reaper::Listener others_ = reaper_.listen_first(owner_, [] { return false; });
    std::string words_, until_;
    std::unique_ptr<task::Launching> launching_;
};

/// In the launcher: as the real one, its channel is closed before init is there.
void clone_init(const launch::ChannelRefs& channels, const std::function<void()>& init) {
    launch::send_prepared(channels.launcher, {});
    ::close(channels.launcher.get());
    const auto child = sys::clone_process({CLONE_PARENT, 0, FdRef{-1}});
    if (!child || child.value().pid != 0) return;
    launch::send_alive(channels.newborn);
    init();
    ::_exit(0);
}

[[noreturn]] void execute() {
    (void)sys::exec_path("/bin/sleep", {"sleep", "60"}, {});
    ::_exit(1);
}

}  // namespace

TEST_CASE("a launch is heard from its launcher's first word to the execution") {
    Launch launch{[](const launch::ChannelRefs& channels) {
        clone_init(channels, [&] {
            launch::send_ready(channels.newborn);
            execute();
        });
    }};
    launch.drop_stolen();
    const auto heard = launch.hear_until("executed");
    // The launcher's end comes when it likes.
    CHECK(heard.find("born;") != std::string::npos);
    CHECK(heard.find("ready;") != std::string::npos);
    CHECK(heard.find("executed;") != std::string::npos);
}

TEST_CASE("a process that is not of the launch is not believed") {
    Launch launch{[](const launch::ChannelRefs& channels) {
        launch::send_prepared(channels.launcher, {});
        // Neither is a child of the launcher's: it is none of the parent's.
        const auto child = sys::clone_process({0, SIGCHLD, FdRef{-1}});
        if (child && child.value().pid == 0) {
            launch::send_alive(channels.newborn);
            ::_exit(0);
        }
        ::pause();
    }};
    const auto heard = launch.hear_until("failed");
    CHECK(heard.find("which is not of this launch, spoke in its hand-shake") != std::string::npos);
}

TEST_CASE("a child of the parent in another group is not of the launch") {
    Launch launch{[](const launch::ChannelRefs& channels) {
        launch::send_prepared(channels.launcher, {});
        ::pause();
    }};
    // This very process's other child, as a neighbour's main process is the shim's.
    const auto neighbour = sys::clone_process({0, SIGCHLD, FdRef{-1}}).or_throw("clone");
    if (neighbour.pid == 0) {
        launch::send_alive(launch.stolen());
        ::_exit(0);
    }
    // By its sender, or, if it comes before the launcher's word, as not due.
    const auto heard = launch.hear_until("failed");
    CHECK(heard.find("failed") != std::string::npos);
    CHECK(heard.find("born") == std::string::npos);
    (void)sys::wait_process(neighbour.pidfd);
}

TEST_CASE("a thief who keeps the channel open does not keep the execution from being told") {
    Launch launch{[](const launch::ChannelRefs& channels) {
        clone_init(channels, [&] {
            launch::send_ready(channels.newborn);
            execute();
        });
    }};
    (void)launch.hear_until("ready");
    launch.launching().await_execution({});
    CHECK(launch.hear_until("executed").ends_with("executed;"));
}

TEST_CASE("a thief who speaks behind Ready fails nothing") {
    Launch launch{[](const launch::ChannelRefs& channels) {
        clone_init(channels, [&] {
            launch::send_ready(channels.newborn);
            execute();
        });
    }};
    (void)launch.hear_until("ready");
    launch::send_failed(launch.stolen(), Error(Code::internal, "a lie"));
    launch.launching().await_execution({});
    const auto heard = launch.hear_until("executed");
    CHECK(heard.find("failed") == std::string::npos);
    CHECK(heard.ends_with("executed;"));
}

TEST_CASE("who waits at the gate without end is nudged") {
    Launch launch{[](const launch::ChannelRefs& channels) {
        clone_init(channels, [&] {
            launch::send_ready(channels.newborn);
            ::pause();
        });
    }};
    (void)launch.hear_until("ready");
    bool nudged = false;
    launch.launching().await_execution([&] { nudged = true; });
    for (int i = 0; i < 100 && !nudged; ++i)
        launch.run_for(std::chrono::milliseconds{100});
    CHECK(nudged);
}

TEST_CASE("a launcher that ends without a word is told as such") {
    Launch launch{[](const launch::ChannelRefs&) {}};
    launch.drop_stolen();
    CHECK(launch.hear_until("launcher ended") ==
          "failed: the launcher ended without a word;launcher ended;");
}

TEST_CASE("behind the end of its own channel a launcher may still fail") {
    Launch launch{[](const launch::ChannelRefs& channels) {
        launch::send_prepared(channels.launcher, {});
        ::close(channels.launcher.get());
        launch::send_failed(channels.newborn, Error(Code::internal, "no pids"));
    }};
    CHECK(launch.hear_until("launcher ended") == "failed: no pids;launcher ended;");
}
