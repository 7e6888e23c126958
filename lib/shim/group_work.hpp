// What the shim does to all of a container's or an exec's group: SIGKILL, other signals, the
// removal. By turns of its loop, as what is in the group is the container's choice
// (cgroup/turns.hpp). Owned by a container or an exec, whose Owner its timers belong to. Thread
// rule: the loop's. Blocks for less than 5 ms.
#pragma once

#include "cgroup/turns.hpp"
#include "task/loop.hpp"

#include <deque>
#include <optional>
#include <string>

namespace covey::shim {

class GroupWork {
  public:
    /// `spares` tells whom of those in the group nothing of this means.
    GroupWork(task::Owner& owner, const cgroup::Host& host, std::string group,
              cgroup::Spares spares);
    /// Of an exec's group below `container`.
    GroupWork(task::Owner& owner, const cgroup::Host& host, std::string group,
              cgroup::Spares spares, cgroup::Placement container);
    GroupWork(const GroupWork&) = delete;
    GroupWork& operator=(const GroupWork&) = delete;

    /// The kernel is told at once, who is left by turns. Throws what the first of them meets; what
    /// a later one meets is the owner's trouble.
    void kill();
    /// After those that were asked for before. Throws as kill().
    void signal(int number);
    /// No more of either.
    void rest() noexcept;
    /// What is killed from now on is looked for in every hierarchy (cgroup/turns.hpp).
    void look_everywhere() noexcept;
    /// One turn; true: the group is gone. What is thrown (no descriptors, say) is the owner's
    /// trouble, and no reason to stop trying.
    [[nodiscard]] bool remove() noexcept;
    [[nodiscard]] cgroup::Removal::Left left() const noexcept { return left_; }

  private:
    void go_on_signalling();

    task::Owner& owner_;
    const cgroup::Host& host_;
    std::string group_;
    cgroup::Spares spares_;
    std::optional<cgroup::Placement> container_;
    bool everywhere_ = false;
    std::optional<cgroup::Killing> killing_;
    std::deque<cgroup::Signalling> signals_;
    std::optional<cgroup::Removal> removal_;
    cgroup::Removal::Left left_ = cgroup::Removal::Left::processes;
    task::Timer next_kill_, next_signal_;
};

}  // namespace covey::shim
