// One launch under way, seen from the shim: the hand-shake's messages, the launcher's end, a
// deadline. Thread rule: the loop's thread. Callbacks may destroy the Launching object only later
// (see Container).
#pragma once

#include "base/unique_fd.hpp"
#include "launch/message.hpp"
#include "task/loop.hpp"
#include "task/reaper.hpp"

#include <functional>
#include <map>
#include <optional>

namespace covey::task {

class Launching {
  public:
    struct Callbacks {
        std::function<void(launch::Born)> born;
        /// Always after `born`. The pty's master, if init opened one.
        std::function<void(UniqueFd terminal)> ready;
        /// Also when the launcher ends without a word, or takes longer than 30 s.
        std::function<void(Error)> failed;
        /// The stream's clean end after Born: init has exec'd, or has ended.
        std::function<void()> closed;
        /// And with it every helper.
        std::function<void()> launcher_ended;
        /// Those who could look at a privileged process in the pod are to stand still until
        /// `dropped` (or the launch's failure). The launcher waits for go().
        std::function<void()> neighbours_due;
        std::function<void()> dropped;
        std::function<void(launch::Spawner)> spawner;
        /// Of the filter that asks about signals to number 1.
        std::function<void(UniqueFd)> listener;
    };
    /// An invalid `launcher` is one that somebody else clones, and that comes as a Helper.
    Launching(Owner& owner, Reaper& reaper, UniqueFd handshake, UniqueFd launcher,
              Callbacks callbacks);
    Launching(const Launching&) = delete;
    Launching& operator=(const Launching&) = delete;

    /// Handles every message that has arrived.
    void drain();
    [[nodiscard]] bool launcher_alive() const noexcept {
        return launcher_.valid() || !helpers_.empty() || awaits_launcher_;
    }
    [[nodiscard]] bool open() const noexcept { return handshake_.valid(); }
    /// The neighbours stand still.
    void go();
    /// Nobody waits for this launch any longer than its init waits at the gate.
    void cancel_deadline();

  private:
    void handle(launch::Message message);
    void on_ready();
    void tell_failure();
    void close();
    void on_child_ended();

    Owner& owner_;
    Reaper& reaper_;
    UniqueFd handshake_, launcher_, terminal_;
    Watch messages_;
    Reaper::Child launcher_end_;
    std::map<int, std::pair<UniqueFd, Reaper::Child>> helpers_;  // besides launcher and init
    Callbacks callbacks_;
    Timer deadline_;
    bool awaits_launcher_;  // the spawner's child, which comes as a helper
    bool born_ = false, ready_ = false, failed_ = false;
    std::optional<Error> failure_;  // not told yet
};

}  // namespace covey::task
