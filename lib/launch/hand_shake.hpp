// What a parent (shim or covey-runtime) believes of a launch, and when: a machine that is fed with
// what comes over the two channels (launch/message.hpp) and says what it means. It never waits and
// does nothing to the world. A channel may be in the hands of a liar, so
//
// - a word counts only by its sender, as the kernel says it: on the launcher's channel the
//   launcher, on the newborn's the process that this launch has brought forth, which is an
//   unreaped child of the parent in the launch's cgroup;
// - each counts once, and only where it is due:
//
//   state       launcher's words that are due                          newborn's words that are due
//   launching   Prepared; HooksDue, SeccompAgent, SeccompListener,     Alive, after Prepared;
//               Spawner, NeighboursDue, as Expect says; Failed         Failed of the launcher
//   nesting     Between, then Dropped; Failed                          Alive
//   alive       (nested) Between, Dropped; Failed                      SeccompListener, HooksDue,
//                                                                      TerminalOpened, as Expect
//                                                                      says; Ready; Failed
//   ready       –                                                      Failed, which ends nothing
//   over        nothing but an Alive, so that its sender is reaped
//
// - whatever else comes is a failed launch, of this container alone. Where the launch is done but
//   for the execution (ready, or an exec that is alive) another word is only the sign that the
//   channel has a thief, or init a tracer: it is not read any more.
//
// The end of the newborn's channel after Alive means that init has executed its program or ended. A
// thief of the channel can put that off: who must know asks the kernel (sys::ProcessStat).
// Thread rule: one thread. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "covey/error.hpp"
#include "launch/message.hpp"

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace covey::launch {

/// init exists; what the launcher had prepared for it.
struct Born {
    pid_t pid = 0;
    UniqueFd pidfd;
    Prepared prepared;
};
/// init waits at its gate.
struct AtGate {
    UniqueFd terminal;  // pty master, if init opened one
};
/// init has executed its program, or has ended: its pidfd tells.
struct Executed {};
/// The newborn's channel has a thief: nothing of it counts any more, and the kernel is asked
/// whether init has executed its program.
struct Lost {};
/// A child of the parent besides init, to be reaped: a launcher that a spawner cloned, or the
/// process between.
struct Helper {
    UniqueFd pidfd;
};
struct KeepSpawner {
    pid_t pid = 0;
    UniqueFd pidfd, control;
};
/// Answered with send_go on `channel` when they have run.
struct RunHooks {
    pid_t told = 0;         // whose namespaces are the container's
    bool newborns = false;  // the channel to answer on
};
/// Answered with send_go on the launcher's channel when all stand still.
struct HoldStill {};
struct LetGo {};

using Step = std::variant<Born, AtGate, Executed, Lost, Failed, Helper, KeepSpawner, RunHooks,
                          HoldStill, LetGo, SeccompAgent, SeccompListener>;
using Steps = std::vector<Step>;

class HandShake {
  public:
    enum class From { launcher, newborn };

    /// What this launch may say.
    struct Expect {
        bool gate = true;  // else an exec: Alive, then the end of the channel
        bool hooks = false, agent = false, listener = false, spawner = false;
        bool nests = false;
        bool makes_world = false;  // init does: pid mode container
    };
    /// The pidfd of `pid` if it is an unreaped child of this process, and if `in_group` in the
    /// launch's cgroup or below it; invalid if not.
    using Recognize = std::function<UniqueFd(pid_t pid, bool in_group)>;

    /// `launcher` 0: a spawner clones it, and the first child that speaks is it; then `spawner` is
    /// that spawner's number, which may tell that it failed.
    HandShake(Expect expect, pid_t launcher, pid_t spawner, Recognize recognize)
        : expect_(expect),
          launcher_(launcher),
          spawner_(spawner),
          recognize_(std::move(recognize)) {}

    /// A packet that names its sender. What came earlier over the launcher's channel is to be taken
    /// before anything of the newborn's.
    [[nodiscard]] Steps take(From from, sys::Packet packet);
    /// A packet that could not be received, or an answer that could not be sent.
    [[nodiscard]] Steps refuse(From from, const Error& error);
    /// The end of a channel.
    [[nodiscard]] Steps ended(From from);
    /// Both channels are empty for now. A launcher that failed because init did is heard after
    /// init, who knows the reason; and before init's end.
    [[nodiscard]] Steps heard_all();
    /// The launcher and all helpers have been reaped, and what they said has been taken.
    [[nodiscard]] Steps launcher_gone();
    /// The time for it is over, which its owner chose.
    [[nodiscard]] Steps expired();

    [[nodiscard]] bool is_born() const noexcept { return init_ != 0; }
    [[nodiscard]] bool is_over() const noexcept { return over_; }

    /// Nothing is due of the newborn but to execute its program.
    [[nodiscard]] bool is_settled() const { return said_.ready || (!expect_.gate && init_ != 0); }

  private:
    void take_launchers(LauncherMessage message, pid_t sender);
    void take_newborns(NewbornMessage message, pid_t sender);
    void take_settled(sys::Packet packet);
    [[nodiscard]] bool is_launcher(pid_t sender);

    void on(Prepared message);
    void on(const HooksDue& message, pid_t sender);
    void on(SeccompAgent message);
    void on(SeccompListener message);
    void on(Spawner message);
    void on(const NeighboursDue& message);
    void on(const Between& message);
    void on(const Dropped& message);
    void on_alive(pid_t sender);
    void on_terminal(TerminalOpened message);
    void on_ready();
    /// Throws when it is not due, or was said before.
    void require(bool due, bool& said, std::string_view what) const;
    void fail(Failed failed);
    [[nodiscard]] Steps taken() { return std::exchange(steps_, {}); }

    Expect expect_;
    pid_t launcher_, spawner_, init_ = 0;
    Recognize recognize_;
    std::optional<Prepared> prepared_;
    UniqueFd terminal_;
    std::optional<Failed> failure_;  // not told yet: its sender has not been reaped
    Steps steps_;
    bool over_ = false, launcher_open_ = true, newborn_open_ = true, launcher_gone_ = false;
    struct {
        bool prepared = false, hooks = false, agent = false, listener = false, spawner = false,
             due = false, between = false, dropped = false, terminal = false, ready = false,
             failed = false;
    } said_;
};

}  // namespace covey::launch
