// What is hard to end or to clear away, for tests of the end of a container:
// `undying [FILE]`: its first thread ends, another goes on and appends a byte to FILE every 10 ms.
// `deep-groups FOLDER N [ENTER [NAME]]`, `wide-groups FOLDER N`: cgroups below FOLDER, one in the
// other or side by side; says how many there are and what stopped it. ENTER: goes into the last
// one, by that file (cgroup.procs). `own-cgroups TYPE FOLDER SUB-COMMAND…`: runs it in a user,
// mount and cgroup namespace of its own in which TYPE (cgroup2, or the name of a v1 controller) is
// mounted on FOLDER. `own-proc FOLDER SUB-COMMAND…`: in a user, mount and PID namespace of its own
// with a new procfs on FOLDER.
#include "probe.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace probe {
namespace {

void pause_for(long milliseconds) {
    const timespec time{0, milliseconds * 1'000'000};
    nanosleep(&time, nullptr);
}

/// The third field, after the name, which may hold anything.
char state_of(pid_t thread) {
    const auto stat = slurp("/proc/self/task/" + std::to_string(thread) + "/stat");
    const auto end = stat.rfind(')');
    return end == std::string::npos || end + 2 >= stat.size() ? '?' : stat[end + 2];
}

void go_on(const std::string& file, pid_t first) {
    while (state_of(first) != 'Z')
        pause_for(1);
    say("ready");
    const int out =
        file.empty() ? -1 : open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    while (true) {
        if (out >= 0 && write(out, "x", 1) != 1) _exit(1);
        pause_for(10);
    }
}

int make_groups(const Arguments& arguments, bool deep) {
    if (arguments.size() < 2) return say_result(-1);
    int folder = open(arguments[0].c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return say_result(-1);
    const long wanted = std::strtol(arguments[1].c_str(), nullptr, 10);
    long made = 0;
    int error = 0;
    for (; made < wanted; ++made) {
        const auto name = !deep                  ? "w" + std::to_string(made)
                          : arguments.size() > 3 ? arguments[3]
                                                 : std::string{"d"};
        if (mkdirat(folder, name.c_str(), 0755) != 0) {
            error = errno;
            break;
        }
        if (!deep) continue;
        const int below = openat(folder, name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(folder);
        folder = below;
    }
    if (deep && arguments.size() > 2) {
        const int file = openat(folder, arguments[2].c_str(), O_WRONLY | O_CLOEXEC);
        if (file < 0 || write(file, "0", 1) != 1) return say_result(-1);
        close(file);
    }
    close(folder);
    say(std::to_string(made) + (error == 0 ? "" : std::string{" "} + strerrorname_np(error)));
    return 0;
}

bool write_text(const char* path, const std::string& text) {
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(file);
    return written;
}

}  // namespace

int undying(const Arguments& arguments) {
    const auto file = arguments.empty() ? std::string{} : arguments[0];
    std::thread other{go_on, file, getpid()};
    syscall(SYS_exit, 0);  // this thread's end, not the process's
    other.join();          // not reached
    return 1;
}

/// A user namespace that maps the caller's own ids, a mount namespace and another one.
static bool enter_own_namespaces(int other) {
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | other) != 0) return false;
    (void)write_text("/proc/self/setgroups", "deny");
    return write_text("/proc/self/uid_map",
                      std::to_string(uid) + " " + std::to_string(uid) + " 1") &&
           write_text("/proc/self/gid_map",
                      std::to_string(gid) + " " + std::to_string(gid) + " 1") &&
           mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

int deep_groups(const Arguments& arguments) {
    return make_groups(arguments, true);
}

int wide_groups(const Arguments& arguments) {
    return make_groups(arguments, false);
}

int own_cgroups(const Arguments& arguments) {
    if (arguments.size() < 3) return say_result(-1);
    if (!enter_own_namespaces(CLONE_NEWCGROUP)) return say_result(-1);
    const bool is_v2 = arguments[0] == "cgroup2";
    if (mount("cgroup", arguments[1].c_str(), is_v2 ? "cgroup2" : "cgroup", 0,
              is_v2 ? nullptr : arguments[0].c_str()) != 0)
        return say_result(-1);
    return run({arguments.begin() + 2, arguments.end()});
}

int own_proc(const Arguments& arguments) {
    if (arguments.size() < 2 || !enter_own_namespaces(CLONE_NEWPID)) return say_result(-1);
    const pid_t child = fork();
    if (child < 0) return say_result(-1);
    if (child == 0) {
        const int result = mount("proc", arguments[0].c_str(), "proc", 0, nullptr) != 0
                               ? say_result(-1)
                               : run({arguments.begin() + 1, arguments.end()});
        std::fflush(nullptr);
        _exit(result);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace probe
