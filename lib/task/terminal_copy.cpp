#include "task/terminal_copy.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/terminal.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace covey::task {
namespace {

constexpr std::chrono::milliseconds kRetry{20};

bool is_writable(FdRef fd) {
    pollfd entry{fd.get(), POLLOUT, 0};
    return ::poll(&entry, 1, 0) > 0;
}

}  // namespace

TerminalCopy::TerminalCopy(Owner& owner, UniqueFd master, UniqueFd output)
    : owner_(owner), master_(std::move(master)), output_(std::move(output)) {
    sys::set_nonblocking(master_, true).or_throw("fcntl", "pty");
    listen();
}

void TerminalCopy::listen() {
    watch_ = owner_.watch(master_, EPOLLIN, [this] { copy(); });
}

void TerminalCopy::rest(std::chrono::milliseconds time) {
    watch_.end();
    retry_ = owner_.after(time, [this, time] {
        try {
            listen();
        } catch (...) {
            rest(time);  // an account of the kernel's is full: later
            throw;
        }
    });
}

void TerminalCopy::copy() {
    // A reader of the output (a FIFO's) that lags holds the program back, it does not lose a byte.
    if (!is_writable(output_)) return rest(kRetry);
    std::array<char, 4096> chunk{};  // PIPE_BUF: a writable FIFO takes it whole
    const auto got = ::read(master_.get(), chunk.data(), chunk.size());
    if (got > 0) {
        // An output that fails (disk full) must not stop the program: docs/API.md, stdio.
        (void)sys::write_all(output_, {chunk.data(), static_cast<std::size_t>(got)});
        return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // EIO: every slave is closed. The container may open its /dev/console again: look from time to
    // time.
    rest(kRetry * 10);
}

void TerminalCopy::resize(std::uint16_t rows, std::uint16_t columns) {
    sys::set_terminal_size(master_, rows, columns).or_throw("set the size of", "the terminal");
}

void TerminalCopy::drain() {
    std::array<char, 4096> chunk{};
    while (is_writable(output_)) {
        const auto got = ::read(master_.get(), chunk.data(), chunk.size());
        if (got <= 0) return;
        (void)sys::write_all(output_, {chunk.data(), static_cast<std::size_t>(got)});
    }
}

}  // namespace covey::task
