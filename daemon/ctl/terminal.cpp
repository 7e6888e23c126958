#include "ctl/terminal.hpp"

#include "covey/error.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

namespace covey::ctl {

bool is_terminal(FdRef fd) noexcept {
    return ::isatty(fd.get()) == 1;
}

TerminalSize terminal_size(FdRef fd) noexcept {
    winsize size{};
    if (::ioctl(fd.get(), TIOCGWINSZ, &size) != 0) return {};
    return {size.ws_row, size.ws_col};
}

UniqueFd window_changes() {
    sigset_t change{};
    sigemptyset(&change);
    sigaddset(&change, SIGWINCH);
    ::sigprocmask(SIG_BLOCK, &change, nullptr);
    UniqueFd changes{::signalfd(-1, &change, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!changes) throw Error::from_errno(errno, "make a signal descriptor");
    return changes;
}

void take_window_change(FdRef changes) noexcept {
    signalfd_siginfo change{};
    [[maybe_unused]] const auto got = ::read(changes.get(), &change, sizeof change);
}

bool wants_color(FdRef fd) noexcept {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    if (no_color != nullptr && *no_color != '\0') return false;
    return is_terminal(fd) && (term == nullptr || std::string_view{term} != "dumb");
}

struct RawMode::Saved {
    FdRef fd;
    termios settings;
};

RawMode::RawMode(FdRef fd) {
    termios settings{};
    if (::tcgetattr(fd.get(), &settings) != 0)
        throw Error::from_errno(errno, "read the settings of the terminal")
            .with_fix("leave out -t");
    saved_ = std::make_unique<Saved>(Saved{fd, settings});
    ::cfmakeraw(&settings);
    // TCSADRAIN: what was printed before is still shown as it was meant.
    if (::tcsetattr(fd.get(), TCSADRAIN, &settings) != 0)
        throw Error::from_errno(errno, "change the settings of the terminal");
}

RawMode::~RawMode() {
    ::tcsetattr(saved_->fd.get(), TCSADRAIN, &saved_->settings);
}

}  // namespace covey::ctl
