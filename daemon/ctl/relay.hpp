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
    Pump(FdRef from, FdRef to) : from_(from), to_(to) {}
    /// What to poll for: POLLIN on from() or POLLOUT on to(), or nothing once ended().
    [[nodiscard]] bool wants_to_read() const noexcept { return !ended_ && pending_.empty(); }
    [[nodiscard]] bool wants_to_write() const noexcept { return !ended_ && !pending_.empty(); }
    [[nodiscard]] FdRef from() const noexcept { return from_; }
    [[nodiscard]] FdRef to() const noexcept { return to_; }
    /// Reads once and writes what it can. Ends at the end of `from`, or when nobody reads `to`.
    void advance();
    [[nodiscard]] bool ended() const noexcept { return ended_; }

  private:
    FdRef from_, to_;
    std::string pending_;
    bool ended_ = false;
};

}  // namespace covey::ctl
