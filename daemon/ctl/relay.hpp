// Bytes between the terminal and a process in a container, both ways at once, by poll(2).
// Called by cmd_exec.cpp and run_attached.cpp. Thread rule: one thread. Blocks until the process
// has ended.
#pragma once

#include "base/unique_fd.hpp"
#include "ctl/client.hpp"

#include <string>

namespace covey::ctl {

/// Whose terminal keeps the size of this one, our standard input: that of an exec in `container`.
/// `changes` as window_changes() gives them (ctl/terminal.hpp); invalid: nobody's does.
struct FollowedSize {
    std::string container;
    UniqueFd changes;
};

/// Makes an exec call and carries its streams: standard input if `request.streams_input`, the
/// answer to standard output and, where it is framed, standard error. Answers the process's exit
/// code.
[[nodiscard]] int relay_exec(const std::string& socket_path, const Request& request,
                             FollowedSize size = {});

/// One direction: what is read from `from` goes to `to`, never more than one buffer in between.
class Pump {
  public:
    /// When `to` takes nothing more: the pump ends, or it goes on reading, so that whoever writes
    /// to `from` is not held up.
    enum class OnRefusal { end, discard };
    Pump(FdRef from, FdRef to, OnRefusal on_refusal)
        : from_(from), to_(to), on_refusal_(on_refusal) {}
    /// What to poll for: POLLIN on from() or POLLOUT on to(), or nothing once ended().
    [[nodiscard]] bool wants_to_read() const noexcept { return !ended_ && pending_.empty(); }
    [[nodiscard]] bool wants_to_write() const noexcept { return !ended_ && !pending_.empty(); }
    [[nodiscard]] FdRef from() const noexcept { return from_; }
    [[nodiscard]] FdRef to() const noexcept { return to_; }
    /// Reads once and writes what it can.
    void advance();
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    /// Why `to` takes nothing more: EPIPE, ENOSPC …; 0: nothing was refused.
    [[nodiscard]] int write_error() const noexcept { return write_error_; }

  private:
    FdRef from_, to_;
    OnRefusal on_refusal_;
    std::string pending_;
    bool ended_ = false;
    int write_error_ = 0;
};

}  // namespace covey::ctl
