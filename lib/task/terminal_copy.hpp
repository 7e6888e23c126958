// Keeps a container's pty master and copies what the container prints to its stdout target, so that
// a terminal nobody is attached to never blocks its program. Thread rule: the loop's thread.
#pragma once

#include "base/unique_fd.hpp"
#include "task/loop.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace covey::task {

class TerminalCopy {
  public:
    TerminalCopy(Owner& owner, UniqueFd master, UniqueFd output);
    TerminalCopy(const TerminalCopy&) = delete;
    TerminalCopy& operator=(const TerminalCopy&) = delete;

    /// The window's size; the kernel tells the program by SIGWINCH.
    void resize(std::uint16_t rows, std::uint16_t columns);
    /// What the program printed before it ended: until the pty is empty, 256 KiB at most.
    void drain();

  private:
    void copy();
    [[nodiscard]] bool write_pending();
    [[nodiscard]] bool read_some();
    void listen();
    void rest(std::chrono::milliseconds time);

    Owner& owner_;
    UniqueFd master_, output_;
    std::string pending_;  // read, and not written yet
    Watch watch_;
    Timer retry_;
};

}  // namespace covey::task
