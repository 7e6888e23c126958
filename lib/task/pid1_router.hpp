// `pid1Signals: route`: a signal that a process of a container in the pod's PID namespace sends to
// number 1 goes to the container's main process instead, if the sender may signal that. The
// processes have a filter that asks the shim (plan/own_filters.hpp), main and every exec one of its
// own. Thread rule: the shim's loop. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "task/loop.hpp"

#include <functional>
#include <vector>

#include <sys/types.h>

struct seccomp_notif;

namespace covey::task {

class Pid1Router {
  public:
    struct Target {
        pid_t pid = 0;      // the main process, 0: it has ended
        FdRef process{-1};  // its pidfd
    };
    Pid1Router(Loop& loop, std::function<Target()> target)
        : loop_(loop), target_(std::move(target)) {}
    ~Pid1Router();
    Pid1Router(const Pid1Router&) = delete;
    Pid1Router& operator=(const Pid1Router&) = delete;

    /// Until nobody is left who has the filter.
    void take(UniqueFd listener);

  private:
    void on_event(int listener);
    void answer(FdRef listener, const seccomp_notif& call) const;
    [[nodiscard]] int deliver(FdRef listener, const seccomp_notif& call, int signal) const;
    void forget(int listener);

    Loop& loop_;
    std::function<Target()> target_;
    std::vector<UniqueFd> listeners_;
};

}  // namespace covey::task
