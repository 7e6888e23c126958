// What a command does while its container's process runs: passes its signals on, relays the
// terminal, waits. Called by run and exec. Thread rule: single-threaded; `Signals` blocks every
// signal of the process for as long as it lives. Blocks until the process has ended.
#pragma once

#include "base/unique_fd.hpp"
#include "runtime/notify.hpp"
#include "sys/process.hpp"

#include <csignal>

namespace covey::runtime {

/// Made before the first fork, so that no signal ends the command half-way through.
class Signals {
  public:
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    [[nodiscard]] FdRef fd() const noexcept { return fd_; }

  private:
    sigset_t before_;
    UniqueFd fd_;
};

/// Until `process` (a child) ends. `terminal` is its pty's master or invalid; with it, this
/// process's terminal is raw meanwhile. `notify`: the container's readiness is passed on.
[[nodiscard]] sys::ExitStatus run_in_foreground(const Signals& signals, FdRef process,
                                                FdRef terminal, NotifySocket* notify = nullptr);

}  // namespace covey::runtime
