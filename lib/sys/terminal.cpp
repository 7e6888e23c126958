#include "sys/terminal.hpp"

#include <cerrno>

#include <sys/ioctl.h>

namespace covey::sys {

Result<void> set_terminal_size(FdRef terminal, std::uint16_t rows, std::uint16_t columns) noexcept {
    const winsize size{rows, columns, 0, 0};
    if (::ioctl(terminal.get(), TIOCSWINSZ, &size) != 0) return Errno{errno};
    return {};
}

bool is_pty_master(FdRef fd) noexcept {
    unsigned number = 0;
    return ::ioctl(fd.get(), TIOCGPTN, &number) == 0;
}

}  // namespace covey::sys
