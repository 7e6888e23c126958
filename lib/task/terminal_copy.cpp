#include "task/terminal_copy.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/terminal.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

namespace covey::task {
namespace {

constexpr std::chrono::milliseconds kRetry{20};

}  // namespace

TerminalCopy::TerminalCopy(Owner& owner, UniqueFd master, UniqueFd output)
    : owner_(owner), master_(std::move(master)), output_(std::move(output)) {
    sys::set_nonblocking(master_, true).or_throw("fcntl", "pty");
    // A FIFO's other writers may fill it at any moment.
    sys::set_nonblocking(output_, true).or_throw("fcntl", "the terminal's output");
    listen();
}

void TerminalCopy::listen() {
    watch_ = owner_.watch(master_, EPOLLIN, [this] { copy(); });
}

void TerminalCopy::rest(std::chrono::milliseconds time) {
    watch_.end();
    retry_ = owner_.after(time, [this, time] {
        if (!write_pending()) return rest(time);
        try {
            listen();
        } catch (...) {
            rest(time);  // an account of the kernel's is full: later
            throw;
        }
    });
}

void TerminalCopy::copy() {
    if (read_some()) {
        // A reader of the output (a FIFO's) that lags holds the program back, it does not lose a
        // byte.
        if (!pending_.empty()) rest(kRetry);
        return;
    }
    if (errno == EAGAIN || errno == EINTR) return;
    // EIO: every slave is closed. The container may open its /dev/console again: look from time to
    // time.
    rest(kRetry * 10);
}

/// False: the output takes no more for now.
bool TerminalCopy::write_pending() {
    while (!pending_.empty()) {
        const auto sent = ::write(output_.get(), pending_.data(), pending_.size());
        if (sent < 0 && errno == EAGAIN) return false;
        if (sent < 0 && errno == EINTR) continue;
        // An output that fails (disk full) must not stop the program: docs/API.md, stdio.
        pending_.erase(0, sent < 0 ? pending_.size() : static_cast<std::size_t>(sent));
    }
    return true;
}

/// False: nothing was read, and errno says why; 0 is EIO here, as of a pty.
bool TerminalCopy::read_some() {
    std::array<char, 4096> chunk{};
    const auto got = ::read(master_.get(), chunk.data(), chunk.size());
    if (got == 0) errno = EIO;
    if (got <= 0) return false;
    pending_.assign(chunk.data(), static_cast<std::size_t>(got));
    (void)write_pending();
    return true;
}

void TerminalCopy::resize(std::uint16_t rows, std::uint16_t columns) {
    sys::set_terminal_size(master_, rows, columns).or_throw("set the size of", "the terminal");
}

void TerminalCopy::drain() {
    // What a pty holds at most, several times: who has a slave that was passed on may go on for
    // ever.
    constexpr int kMostReads = 64;
    for (int left = kMostReads; left > 0 && write_pending() && read_some(); --left)
        ;
}

}  // namespace covey::task
