#include "launch/terminal.hpp"

#include "covey/error.hpp"
#include "launch/stdio.hpp"
#include "sys/file.hpp"
#include "sys/path.hpp"
#include "sys/terminal.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace covey::launch {
namespace {

constexpr gid_t kTtyGroup = 5;
constexpr mode_t kTtyMode = 0620;

}  // namespace

Terminal open_terminal(FdRef pts, const plan::ProcessPlan& process) {
    Terminal terminal;
    if (!pts.valid() || sys::filesystem_magic(pts).value_or(0) != DEVPTS_SUPER_MAGIC)
        throw Error(Code::invalid_spec, "/dev/pts in the container is not a devpts")
            .with_fix(
                "mount a devpts with newinstance on /dev/pts, or set process.terminal to false");
    auto master = sys::open_beneath(pts, "ptmx", O_RDWR | O_NOCTTY);
    // pty(7): one account for all containers of the host, who leave only kernel.pty.reserve to it.
    if (!master && master.error() == ENOSPC)
        throw Error(Code::resource_exhausted,
                    "the host has no pty left for containers: kernel.pty.max")
            .with_fix(
                "find out who holds them (/proc/sys/kernel/pty/nr), raise kernel.pty.max, or do "
                "without a terminal");
    terminal.master = std::move(master).or_throw("open", "/dev/pts/ptmx");
    const int unlock = 0;
    if (::ioctl(terminal.master.get(), TIOCSPTLCK, &unlock) < 0)
        throw Error::from_errno(errno, "unlock", "pty");
    const int slave = ::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) throw Error::from_errno(errno, "open", "pty slave");
    terminal.slave = UniqueFd{slave};
    if (process.console_rows != 0 || process.console_columns != 0) {
        sys::set_terminal_size(terminal.slave, process.console_rows, process.console_columns)
            .or_throw("resize", "pty");
    }
    // A user namespace may have no group 5: then the one that devpts gave it stays.
    const bool owned = ::fchown(slave, process.uid, kTtyGroup) == 0 ||
                       (errno == EINVAL && ::fchown(slave, process.uid, ~gid_t{0}) == 0);
    if (!owned || ::fchmod(slave, kTtyMode) < 0)
        throw Error::from_errno(errno, "chown", "pty slave");
    return terminal;
}

void install_terminal(FdRef slave, bool plain_newlines) {
    termios settings{};
    if (plain_newlines && ::tcgetattr(slave.get(), &settings) == 0) {
        settings.c_oflag &= ~static_cast<tcflag_t>(ONLCR);
        if (::tcsetattr(slave.get(), TCSANOW, &settings) < 0)
            throw Error::from_errno(errno, "set modes of", "pty");
    }
    if (::ioctl(slave.get(), TIOCSCTTY, 0) < 0)
        throw Error::from_errno(errno, "set controlling terminal", "pty");
    for (const int target : {0, 1, 2})
        if (::dup3(slave.get(), target, 0) < 0)  // NOLINT(android-cloexec-dup3): to be inherited
            throw dup_error(errno, "pty");
}

}  // namespace covey::launch
