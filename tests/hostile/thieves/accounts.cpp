// Accounts that the kernel keeps for each user of the host, or for the whole host: each is filled
// by one container until the kernel refuses, and held.
#include "kinds.hpp"
#include "thief.hpp"

#include <cerrno>
#include <cstring>
#include <functional>
#include <map>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thief {
namespace {

void raise_descriptor_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int one_pty() {
    return open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

int one_inotify() {
    return inotify_init1(IN_CLOEXEC);
}

/// A namespace that a descriptor keeps; the user namespace that allows it is made once.
int one_namespace(int flag, const char* name) {
    static const bool is_owner = unshare(CLONE_NEWUSER) == 0;
    if (!is_owner || unshare(flag) != 0) return -1;
    return open((std::string{"/proc/self/ns/"} + name).c_str(), O_RDONLY | O_CLOEXEC);
}

/// Descriptors run out sooner than the account: each child goes on where the last one stopped.
[[noreturn]] void fill(const std::function<int()>& one, long most) {
    raise_descriptor_limit();
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) _exit(1);
    long total = 0;
    int last = 0;
    for (int round = 0; round < 200 && total < most; ++round) {
        long part[2] = {0, 0};
        if (fork() == 0) {
            while (total + part[0] < most && one() >= 0)
                ++part[0];
            part[1] = total + part[0] < most ? errno : 0;
            (void)!write(pipes[1], part, sizeof part);
            rest();
        }
        if (read(pipes[0], part, sizeof part) != static_cast<ssize_t>(sizeof part)) break;
        total += part[0];
        last = static_cast<int>(part[1]);
        if (last != EMFILE) break;
    }
    errno = last;
    say("GOT " + std::to_string(total) + " " + (last == 0 ? "enough" : errno_name()));
    rest();
}

}  // namespace

/// fill ACCOUNT MOST
int fill_account(const Arguments& words) {
    const std::map<std::string, std::function<int()>> accounts{
        {"ptys", one_pty},
        {"inotify", one_inotify},
        {"uts", [] { return one_namespace(CLONE_NEWUTS, "uts"); }},
        {"ipc", [] { return one_namespace(CLONE_NEWIPC, "ipc"); }},
        {"cgroup", [] { return one_namespace(CLONE_NEWCGROUP, "cgroup"); }},
    };
    fill(accounts.at(words.at(0)), number(words.at(1)));
}

}  // namespace thief
