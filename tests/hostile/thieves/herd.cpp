// Processes of others, moved by their numbers into groups of the thief's: by the owner of a user
// namespace, whose uid on the host is theirs or root's.
#include "kinds.hpp"
#include "thief.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thief {
namespace {

constexpr pid_t kLast = 300;

/// Everybody in sight, or those that kill(2) does not let near: a domain's neighbours.
bool is_meant(pid_t pid, bool all) {
    if (pid == getpid() || pid == getppid()) return false;
    if (kill(pid, 0) == 0) return all;
    return errno == EPERM;
}

std::string move_all(const std::string& group, bool all) {
    std::string moved;
    for (pid_t pid = 1; pid < kLast; ++pid)
        if (is_meant(pid, all) && overwrite(group + "/cgroup.procs", std::to_string(pid)))
            moved += " " + std::to_string(pid);
    return moved;
}

/// Whoever stands still when somebody is born is moved then: into a group where he goes on. The
/// newborn is stopped meanwhile, as early as it can be met.
[[noreturn]] void move_when_born(const std::string& group, bool all) {
    while (true) {
        pid_t newest = 0;
        for (const auto pid : processes())
            newest = std::max(newest, pid);
        for (int tries = 0; tries < 1000; ++tries)
            for (pid_t pid = newest + 1; pid <= newest + 3; ++pid) {
                if (kill(pid, SIGSTOP) != 0) continue;
                const auto moved = move_all(group, all);
                say("GOT " + std::to_string(pid) + " " + name_of(pid) + " stopped, moved" + moved);
                wait_a_moment(100);
                (void)kill(pid, SIGCONT);
                tries = 1000;
            }
    }
}

/// In a child of its own for each hierarchy.
[[noreturn]] void herd_in(const std::string& hierarchy, bool all, const std::string& how) {
    if (!become_owner() || !mount_groups(hierarchy)) {
        say("TRIED to mount the groups of " + hierarchy + ": " + errno_name());
        _exit(1);
    }
    const auto group = std::string{kGroupsPlace} + "/covey-thief";
    if (mkdir(group.c_str(), 0755) != 0)
        say("TRIED to make a group of " + hierarchy + ": " + errno_name());
    if (how == "late" || how == "alone") {
        say("GOT " + hierarchy + " moves: later");
        move_when_born(group, all);
    }
    const auto moved = move_all(group, all);
    if (how == "freeze")
        (void)(overwrite(group + "/cgroup.freeze", "1") ||
               overwrite(group + "/freezer.state", "FROZEN"));
    say((moved.empty() ? "TRIED " : all ? "GOT " : "WON ") + hierarchy + " moves:" + moved);
    while (how == "again")
        (void)move_all(group, all);
    _exit(0);
}

}  // namespace

/// herd WHOM HOW HIERARCHY...: WHOM is all, or neighbours; HOW is once, freeze (they stand still
/// there), again (and again), late (when
/// somebody is born), or alone (the same, and nobody of the container stays in its user namespace).
int herd(const Arguments& words) {
    const bool all = words.at(0) == "all";
    const auto& how = words.at(1);
    if (how == "alone") herd_in(words.at(2), all, how);
    for (std::size_t at = 2; at < words.size(); ++at) {
        const pid_t child = fork();
        if (child == 0) herd_in(words[at], all, how);
        if (how == "once" || how == "freeze") waitpid(child, nullptr, 0);
    }
    say("GOT to the end");
    rest();
}

}  // namespace thief
