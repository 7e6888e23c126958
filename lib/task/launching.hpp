// One launch under way, on a loop: what comes over its two channels (launch/hand_shake.hpp says
// what of it counts), the launcher's end, a deadline. Used by covey-shim and covey-runtime. Thread
// rule: the loop's thread. Callbacks may destroy the Launching object only later.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "launch/hand_shake.hpp"
#include "launch/message.hpp"
#include "sys/process.hpp"
#include "task/loop.hpp"
#include "task/reaper.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace covey::task {

class Launching {
  public:
    struct Order {
        launch::Channels channels;  // the parent's ends
        /// Its pidfd is invalid for one that a spawner clones.
        sys::Child launcher;
        pid_t spawner = 0;
        launch::HandShake::Expect expect;
        launch::HandShake::Recognize recognize;
        /// Processes of the launch's group that the kernel has killed for want of memory, by now
        /// and when the launch began. Empty: it is not known.
        std::function<std::uint64_t()> ooms;
        std::uint64_t ooms_before = 0;
        /// Nothing: as long as it takes.
        std::optional<std::chrono::milliseconds> limit = std::chrono::seconds{30};
    };
    /// An empty one is for what this launch may not say.
    struct Callbacks {
        std::function<void(launch::Born)> born;
        /// Always after `born`. The pty's master, if init opened one.
        std::function<void(UniqueFd terminal)> ready;
        /// Also when the launcher ends without a word, or takes too long.
        std::function<void(Error)> failed;
        /// After `born`: init has exec'd, or has ended.
        std::function<void()> executed;
        /// And with it every helper.
        std::function<void()> launcher_ended;
        /// Those who could look at a privileged process in the pod are to stand still until
        /// `dropped` (or the launch's failure). The launcher waits for all_still().
        std::function<void()> neighbours_due;
        std::function<void()> dropped;
        /// They run until hooks_ran(), and do not count for the limit; `told` is whose namespaces
        /// are the container's.
        std::function<void(pid_t told)> hooks_due;
        std::function<void(launch::KeepSpawner)> spawner;
        std::function<void(launch::SeccompAgent)> agent;
        std::function<void(UniqueFd)> listener;
    };
    Launching(Owner& owner, Reaper& reaper, Order order, Callbacks callbacks);
    Launching(const Launching&) = delete;
    Launching& operator=(const Launching&) = delete;

    /// Takes every word that has arrived.
    void drain();
    void all_still() { go(channels_.launcher); }
    void hooks_ran();
    [[nodiscard]] bool launcher_alive() const noexcept {
        return launcher_.valid() || !helpers_.empty() || awaits_launcher_;
    }
    /// The gate is open (for an exec: it is born): `executed` comes even if the channel has a
    /// thief, who can put off its end. `nudge` is called from time to time while init has not
    /// executed its program: he may have swallowed the byte at the gate, too.
    void await_execution(std::function<void()> nudge);
    /// There may be more to hear.
    [[nodiscard]] bool open() const noexcept {
        return channels_.launcher.valid() || channels_.newborn.valid();
    }
    /// init has ended: takes what it said before. One that had not said that it failed has executed
    /// its program, even if a thief keeps the channel open.
    void settle();
    /// As the kernel says; false also when it does not tell.
    [[nodiscard]] bool has_executed() const;
    [[nodiscard]] bool has_ended() const;
    /// Nobody waits for this launch any longer than its init waits at the gate.
    void cancel_deadline();

  private:
    [[nodiscard]] bool take_one(launch::HandShake::From from);
    void take_launchers();
    void perform(launch::Steps steps);
    void on(launch::Born step);
    void on(launch::AtGate step);
    void on(const launch::Executed& step);
    void on(const launch::Lost& step);
    void on(launch::Failed step);
    [[nodiscard]] bool is_out_of_memory() const noexcept;
    [[nodiscard]] int silencing_signal() const;
    void on(launch::Helper step);
    void on(launch::KeepSpawner step) { callbacks_.spawner(std::move(step)); }
    void on(const launch::RunHooks& step);
    void on(const launch::HoldStill& step);
    void on(const launch::LetGo& step);
    void on(launch::SeccompAgent step) { callbacks_.agent(std::move(step)); }
    void on(launch::SeccompListener step) { callbacks_.listener(std::move(step.listener)); }
    void go(FdRef channel);
    void close(launch::HandShake::From from);
    [[nodiscard]] UniqueFd& channel(launch::HandShake::From from);
    void begin_deadline();
    void on_child_ended();
    void ask_kernel();

    Owner& owner_;
    Reaper& reaper_;
    launch::Channels channels_;
    UniqueFd launcher_;
    Watch launchers_words_, newborns_words_;  // end before what they watch is closed
    Reaper::Child launcher_end_;
    std::map<int, std::pair<UniqueFd, Reaper::Child>> helpers_;  // besides launcher and init
    launch::HandShake hand_shake_;
    Callbacks callbacks_;
    Timer deadline_, look_;
    std::function<std::uint64_t()> ooms_;
    std::uint64_t ooms_before_;
    std::optional<std::chrono::milliseconds> limit_;
    std::chrono::milliseconds next_look_{0};
    std::function<void()> nudge_;
    pid_t init_ = 0;
    int launchers_signal_ = 0;
    bool awaits_launcher_;  // the spawner's child, which is known by its first word
    bool hooks_of_newborn_ = false;
};

/// Recognizes what a launch into `group` brings forth; `group` empty: any child of this process.
[[nodiscard]] launch::HandShake::Recognize children_in(const cgroup::Host* host, std::string group);

}  // namespace covey::task
