#include "sys/lock.hpp"

#include <cerrno>

#include <poll.h>
#include <sys/file.h>

namespace covey::sys {

Result<void> lock_file(FdRef file, Lock kind, std::chrono::milliseconds limit) {
    constexpr int kAgain = 2;  // milliseconds
    const auto deadline = std::chrono::steady_clock::now() + limit;
    const int operation = (kind == Lock::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
    while (::flock(file.get(), operation) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return Errno{errno};
        if (std::chrono::steady_clock::now() >= deadline) return Errno{EWOULDBLOCK};
        (void)::poll(nullptr, 0, kAgain);
    }
    return {};
}

}  // namespace covey::sys
