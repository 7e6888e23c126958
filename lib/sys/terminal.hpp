// Terminals: what of ioctl_tty(2) several parts of Covey do. Thread rule: any thread. Does not
// block.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>

namespace covey::sys {

/// TIOCSWINSZ, in characters. The kernel sends SIGWINCH to the terminal's foreground process group
/// when the size has changed. `terminal` is either end of a pty.
[[nodiscard]] Result<void> set_terminal_size(FdRef terminal, std::uint16_t rows,
                                             std::uint16_t columns) noexcept;

/// The master's end of a pty (TIOCGPTN), whatever it was opened by.
[[nodiscard]] bool is_pty_master(FdRef fd) noexcept;

}  // namespace covey::sys
