// A group that is told to stand still, and the time until it does: on the loop, by the kernel's
// events and a timer. Used for a client's pause and for those who must not move during a launch.
// Thread rule: the loop's thread. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "task/loop.hpp"

#include <chrono>
#include <functional>

namespace covey::task {

class Freezing {
  public:
    /// `done` comes once, from the loop, never from here: true when every task of the group has
    /// stopped (or the group is gone), false when `limit` is over; it is then still told to stand
    /// still. `group` is borrowed. Throws when the kernel refuses.
    Freezing(Owner& owner, const cgroup::Group& group, std::chrono::milliseconds limit,
             std::function<void(bool)> done);
    Freezing(const Freezing&) = delete;
    Freezing& operator=(const Freezing&) = delete;

  private:
    void look();

    Owner& owner_;
    const cgroup::Group& group_;
    Loop::Clock::time_point deadline_;
    std::function<void(bool)> done_;
    UniqueFd events_;
    Watch watch_;
    Timer next_;
};

}  // namespace covey::task
