// The terminal the command runs in: is there one, how wide is it, raw mode.
// Thread rule: one thread. Does not block.
#pragma once

#include "base/unique_fd.hpp"

#include <cstdint>
#include <memory>

namespace covey::ctl {

[[nodiscard]] bool is_terminal(FdRef fd) noexcept;

struct TerminalSize {
    std::uint16_t rows = 0, columns = 0;  // 0: unknown
};
[[nodiscard]] TerminalSize terminal_size(FdRef fd) noexcept;
/// Readable when the size has changed since the last take_window_change(): SIGWINCH, which is
/// blocked from now on. To be called before the first terminal_size(), so that no change is missed.
[[nodiscard]] UniqueFd window_changes();
void take_window_change(FdRef changes) noexcept;
/// True for a terminal unless NO_COLOR is set (no-color.org) or TERM is "dumb".
[[nodiscard]] bool wants_color(FdRef fd) noexcept;

/// Hands every key to the process at the other end (Ctrl-C too) until it is destroyed, which
/// restores what was.
class RawMode {
  public:
    /// Throws when `fd` is no terminal.
    explicit RawMode(FdRef fd);
    RawMode(const RawMode&) = delete;
    RawMode& operator=(const RawMode&) = delete;
    ~RawMode();

  private:
    struct Saved;
    std::unique_ptr<Saved> saved_;
};

}  // namespace covey::ctl
