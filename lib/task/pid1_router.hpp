// `pid1Signals: route`: a signal that a process of a container in the pod's PID namespace sends to
// number 1 goes to the container's main process instead, if the sender may signal that. The
// processes have a filter that asks the shim (plan/own_filters.hpp), main and every exec one of its
// own. Thread rule: the shim's loop. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "task/loop.hpp"

#include <functional>
#include <map>
#include <utility>

#include <sys/types.h>

struct seccomp_notif;

namespace covey::task {

class Pid1Router {
  public:
    struct Target {
        pid_t pid = 0;      // the main process, 0: it has ended
        FdRef process{-1};  // its pidfd
    };
    Pid1Router(Owner& owner, std::function<Target()> target)
        : owner_(owner), target_(std::move(target)) {}
    Pid1Router(const Pid1Router&) = delete;
    Pid1Router& operator=(const Pid1Router&) = delete;

    /// Until nobody is left who has the filter.
    void take(UniqueFd listener);

  private:
    void on_event(int listener);
    void answer(FdRef listener, const seccomp_notif& call) const;
    [[nodiscard]] int deliver(FdRef listener, const seccomp_notif& call, int signal) const;

    Owner& owner_;
    std::function<Target()> target_;
    std::map<int, std::pair<UniqueFd, Watch>> listeners_;
};

}  // namespace covey::task
