#include "runtime/relay.hpp"

#include "sys/file.hpp"

#include <array>
#include <cerrno>

#include <sys/ioctl.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr FdRef kStdin{STDIN_FILENO}, kStdout{STDOUT_FILENO};
constexpr char kEndOfFile = 4;  // ^D

}  // namespace

Relay::Relay(FdRef master) : master_(master) {
    termios now{};
    if (::tcgetattr(kStdin.get(), &now) == 0) {
        before_ = now;
        ::cfmakeraw(&now);
        // The container's terminal leaves lines as they are written (InitInput::plain_newlines).
        now.c_oflag |= OPOST;
        (void)::tcsetattr(kStdin.get(), TCSANOW, &now);
    }
    (void)sys::set_nonblocking(master_, true);
    copy_size();
}

Relay::~Relay() {
    if (before_) (void)::tcsetattr(kStdin.get(), TCSANOW, &*before_);
}

void Relay::copy_size() const {
    winsize size{};
    if (::ioctl(kStdin.get(), TIOCGWINSZ, &size) == 0)
        (void)::ioctl(master_.get(), TIOCSWINSZ, &size);
}

void Relay::add_to(std::vector<pollfd>& entries) const {
    // A negative number is passed over by poll(2).
    const bool is_waiting = !typed_.empty();
    const auto events = static_cast<short>(is_waiting ? POLLIN | POLLOUT : POLLIN);
    entries.push_back({output_open_ ? master_.get() : -1, events, 0});
    entries.push_back({input_open_ && !is_waiting ? kStdin.get() : -1, POLLIN, 0});
}

void Relay::copy(const std::vector<pollfd>& entries) {
    const auto& output = entries[entries.size() - 2];
    const auto& input = entries.back();
    if ((output.revents & POLLOUT) != 0) send_typed();
    if ((output.revents & ~POLLOUT) != 0 && !copy_output()) output_open_ = false;
    if (input.revents != 0) copy_input();
}

bool Relay::copy_output() {
    std::array<char, 4096> chunk{};
    const auto got = ::read(master_.get(), chunk.data(), chunk.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    // EIO: every slave is closed.
    if (got <= 0) return false;
    // A caller that does not listen any more must not stop the program.
    (void)sys::write_all(kStdout, {chunk.data(), static_cast<std::size_t>(got)});
    return true;
}

void Relay::copy_input() {
    std::array<char, 4096> chunk{};
    const auto got = ::read(kStdin.get(), chunk.data(), chunk.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got > 0) {
        typed_.assign(chunk.data(), static_cast<std::size_t>(got));
    } else {
        input_open_ = false;
        // A stdin that is no terminal has ended: say so as a terminal does.
        if (!before_) typed_.assign(1, kEndOfFile);
    }
    send_typed();
}

/// What does not fit is sent when there is room: a program that does not read may not keep this one
/// from signals and from the program's end.
void Relay::send_typed() {
    while (!typed_.empty()) {
        const auto put = ::write(master_.get(), typed_.data(), typed_.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && errno == EAGAIN) return;
        if (put <= 0) {
            typed_.clear();
            input_open_ = false;
            return;
        }
        typed_.erase(0, static_cast<std::size_t>(put));
    }
}

void Relay::drain() {
    // What a pty holds at most, several times: who has a slave that was passed on may go on for
    // ever.
    constexpr int kMostReads = 64;
    std::array<char, 4096> chunk{};
    for (int left = kMostReads; left > 0; --left) {
        const auto got = ::read(master_.get(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return;
        (void)sys::write_all(kStdout, {chunk.data(), static_cast<std::size_t>(got)});
    }
}

}  // namespace covey::runtime
