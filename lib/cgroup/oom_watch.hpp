// Tells when the kernel ran out of a container's memory: v1's memory.oom_control through an
// eventfd, v2's memory.events. Called by `events` of covey-runtime. Thread rule: one owner. Does
// not block; the caller polls.
#pragma once

#include "cgroup/cgroup.hpp"

namespace covey::cgroup {

class OomWatch {
  public:
    /// Throws unsupported_by_host when no hierarchy has the group's memory.
    OomWatch(const Host& host, const Group& group);

    [[nodiscard]] FdRef fd() const noexcept { return fd_; }
    /// What to poll fd() for: POLLIN or POLLPRI.
    [[nodiscard]] short poll_events() const noexcept;
    /// After the poll: how often it happened since the last call. 0 also when the group is gone,
    /// which wakes the poll too.
    [[nodiscard]] std::uint64_t take();
    /// The group is gone: nothing will happen any more.
    [[nodiscard]] bool is_over() const;

  private:
    void watch_v1(const std::string& dir);

    UniqueFd memory_;   // v1: memory.oom_control, which must stay open
    UniqueFd fd_;       // v1: the eventfd; v2: memory.events
    std::string file_;  // of which the group's life is told
    bool is_v2_ = false;
    std::uint64_t seen_ = 0;  // v2 counts
};

}  // namespace covey::cgroup
