// What a command does while its container's process runs: passes its signals on, relays the
// terminal, waits. Called by run and exec. Thread rule: single-threaded; `Signals` blocks every
// signal of the process for as long as it lives. Blocks until the process has ended.
#pragma once

#include "base/unique_fd.hpp"
#include "runtime/notify.hpp"
#include "runtime/seat.hpp"
#include "sys/process.hpp"

#include <csignal>
#include <optional>

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

/// A signal that has come and is for the container's process: not one about this process's own
/// children and pipes. Nothing: none is left. Does not block.
[[nodiscard]] std::optional<int> next_signal(const Signals& signals);

/// Until `process` (a child) ends. `terminal` is its pty's master or invalid; with it, this
/// process's terminal is raw meanwhile. `notify`: the container's readiness is passed on. `seat`:
/// its signals are too, and the process ends when whoever asked for it has gone.
[[nodiscard]] sys::ExitStatus run_in_foreground(const Signals& signals, FdRef process,
                                                FdRef terminal, NotifySocket* notify = nullptr,
                                                const Seat* seat = nullptr);

}  // namespace covey::runtime
