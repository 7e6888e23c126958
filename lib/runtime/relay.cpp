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
        (void)::tcsetattr(kStdin.get(), TCSANOW, &now);
    }
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
    entries.push_back({output_open_ ? master_.get() : -1, POLLIN, 0});
    entries.push_back({input_open_ ? kStdin.get() : -1, POLLIN, 0});
}

void Relay::copy(const std::vector<pollfd>& entries) {
    const auto& output = entries[entries.size() - 2];
    const auto& input = entries.back();
    if (output.revents != 0 && !copy_output()) output_open_ = false;
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
    if (got > 0 && sys::write_all(master_, {chunk.data(), static_cast<std::size_t>(got)})) return;
    input_open_ = false;
    // A stdin that is no terminal has ended: say so as a terminal does.
    if (!before_) (void)sys::write_all(master_, {&kEndOfFile, 1});
}

void Relay::drain() {
    (void)sys::set_nonblocking(master_, true);
    std::array<char, 4096> chunk{};
    while (true) {
        const auto got = ::read(master_.get(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return;
        (void)sys::write_all(kStdout, {chunk.data(), static_cast<std::size_t>(got)});
    }
}

}  // namespace covey::runtime
