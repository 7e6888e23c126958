// A container that makes a user namespace and mounts the cgroup file systems in it: what of the
// host's groups does it see, what can it write, which of its own limits can it lift, and how deep a
// tree can it leave behind.
#include "kinds.hpp"
#include "thief.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thief {

bool become_owner() {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP) != 0) return false;
    const auto put = [](const char* path, const char* text) { return overwrite(path, text); };
    return put("/proc/self/setgroups", "deny") && put("/proc/self/uid_map", "0 0 1") &&
           put("/proc/self/gid_map", "0 0 1");
}

bool mount_groups(const std::string& hierarchy) {
    mkdir(kGroupsPlace, 0755);
    if (hierarchy == "v2") return mount("cgroup", kGroupsPlace, "cgroup2", 0, nullptr) == 0;
    const auto option = hierarchy == "systemd" ? "none,name=systemd" : hierarchy;
    return mount("cgroup", kGroupsPlace, "cgroup", 0, option.c_str()) == 0;
}

namespace {

int fail(const char* what) {
    say(std::string{"TRIED to "} + what + ": " + errno_name());
    return 1;
}

/// What it can do to the canary's group, in words; nothing when all is well.
std::string reach(const std::string& canary) {
    const std::string group = std::string{kGroupsPlace} + "/" + canary;
    std::string got;
    if (access(group.c_str(), F_OK) == 0) got += " sees";
    if (mkdir((group + "/thief").c_str(), 0755) == 0) {
        got += " makes";
        rmdir((group + "/thief").c_str());
    }
    if (overwrite(group + "/cgroup.procs", "0")) got += " joins";
    if (overwrite(group + "/tasks", "0")) got += " joins";
    if (overwrite(group + "/freezer.state", "FROZEN")) got += " freezes";
    if (overwrite(group + "/cgroup.freeze", "1")) got += " freezes";
    return got;
}

/// How deep: each group entered by its descriptor, so that no path grows.
int nest(const std::string& hierarchy, long depth) {
    if (!become_owner() || !mount_groups(hierarchy)) return fail("mount the groups");
    int folder = open(kGroupsPlace, O_PATH | O_DIRECTORY | O_CLOEXEC);
    long made = 0;
    for (; made < depth; ++made) {
        if (mkdirat(folder, "n", 0755) != 0) break;
        const int next = openat(folder, "n", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (next < 0) break;
        close(folder);
        folder = next;
    }
    const int procs = openat(folder, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (fork() == 0) {
        (void)!write(procs, "0", 1);
        rest();
    }
    say("GOT " + std::to_string(made) + " groups");
    rest();
}

int spread(const std::string& hierarchy, long count) {
    if (!become_owner() || !mount_groups(hierarchy)) return fail("mount the groups");
    long made = 0;
    for (; made < count; ++made)
        if (mkdir((std::string{kGroupsPlace} + "/w" + std::to_string(made)).c_str(), 0755) != 0)
            break;
    say("GOT " + std::to_string(made) + " groups");
    rest();
}

}  // namespace

/// groups CANARY HIERARCHY...: one line each.
int groups(const Arguments& words) {
    for (std::size_t at = 1; at < words.size(); ++at) {
        const pid_t child = fork();
        if (child == 0) {
            if (!become_owner() || !mount_groups(words[at])) _exit(fail("mount the groups"));
            const auto got = reach(words[0]);
            say((got.empty() ? "TRIED " : "WON ") + words[at] + ":" + got);
            _exit(0);
        }
        waitpid(child, nullptr, 0);
    }
    return 0;
}

/// lift HIERARCHY FILE VALUE FORKS: writes its own limit and says how many processes it could have.
int lift(const Arguments& words) {
    if (!become_owner() || !mount_groups(words[0])) return fail("mount the groups");
    const auto file = std::string{kGroupsPlace} + "/" + words[1];
    say(overwrite(file, words[2]) ? "GOT the limit written" : "TRIED the limit: " + errno_name());
    long forked = 0;
    for (; forked < number(words[3]); ++forked) {
        const pid_t child = fork();
        if (child < 0) break;
        if (child == 0) rest();
    }
    say("TRIED forks: " + std::to_string(forked));
    return 0;
}

/// freeze-self HIERARCHY: all of its own container stands still from then on.
int freeze_self(const Arguments& words) {
    if (!become_owner() || !mount_groups(words[0])) return fail("mount the groups");
    say("GOT the groups");
    const bool done = words[0] == "v2"
                          ? overwrite(std::string{kGroupsPlace} + "/cgroup.freeze", "1")
                          : overwrite(std::string{kGroupsPlace} + "/freezer.state", "FROZEN");
    say(done ? "TRIED and was thawed" : "TRIED to freeze: " + errno_name());
    rest();
}

/// freeze-below HIERARCHY: a child of its own stands still in a group of its own making.
int freeze_below(const Arguments& words) {
    if (!become_owner() || !mount_groups(words[0])) return fail("mount the groups");
    const auto below = std::string{kGroupsPlace} + "/covey-thief";
    mkdir(below.c_str(), 0755);
    const pid_t child = fork();
    if (child == 0) rest();
    const bool done = overwrite(below + "/cgroup.procs", std::to_string(child)) &&
                      (words[0] == "v2" ? overwrite(below + "/cgroup.freeze", "1")
                                        : overwrite(below + "/freezer.state", "FROZEN"));
    say(done ? "GOT a frozen child" : "TRIED to freeze: " + errno_name());
    rest();
}

/// name-group NAME: a group below its own whose name is of no alphabet, with a process in it.
int name_group(const Arguments& words) {
    if (!become_owner() || !mount_groups("v2")) return fail("mount the groups");
    const auto group = std::string{kGroupsPlace} + "/" + unescaped(words[0]);
    if (mkdir(group.c_str(), 0755) != 0) return fail("make the group");
    if (fork() == 0) {
        (void)overwrite(group + "/cgroup.procs", "0");
        rest();
    }
    say("GOT a group");
    rest();
}

int deep_groups(const Arguments& words) {
    return nest(words[0], number(words[1]));
}

int wide_groups(const Arguments& words) {
    return spread(words[0], number(words[1]));
}

}  // namespace thief
