// `inflight`: sends descriptors over socket pairs and receives none, until the kernel says that its
// user has too many in flight. The account is the host user's: who sends one after that, with an
// equal user and no SYS_ADMIN, is refused.
#include "thief.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace thief {

int inflight(const Arguments& /*arguments*/) {
    constexpr int kAtOnce = 253;  // SCM_MAX_FD
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const std::vector<int> many(kAtOnce, file);
    long sent = 0;
    bool full = false;
    while (!full) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) break;
        while (send_packet(ends[0], "x", many))
            sent += kAtOnce;
        full = errno != EAGAIN;
    }
    say("GOT " + std::to_string(sent) + " descriptors in flight, then " + errno_name());
    say("ready");
    while (true)
        pause();
}

}  // namespace thief
