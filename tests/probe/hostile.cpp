// `hostile SECONDS CANARY CAPABILITY-MASK`: a neighbour that looks for a moment of weakness. In a
// tight loop it goes through every process it can see, tries to reach the host through its root,
// working directory and descriptors, and seizes every newborn. One JSON line at the end (or at
// SIGTERM) says what it got. CANARY is an absolute path that exists on the host only; a process
// counts as too powerful when it has a capability outside the mask (hexadecimal).
#include "probe.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>
#include <sstream>

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace probe {
namespace {

volatile sig_atomic_t g_stop = 0;

void on_terminate(int) {
    g_stop = 1;
}

struct Tally {
    std::uint64_t rounds = 0, root_tries = 0, descriptor_tries = 0, seize_tries = 0;
    std::uint64_t newborns = 0, seized = 0;
    std::uint64_t host_roots = 0, host_cwds = 0, host_descriptors = 0, directories = 0, excess = 0;
    std::vector<std::string> samples;

    void sample(const std::string& text) {
        if (samples.size() < 20 && std::find(samples.begin(), samples.end(), text) == samples.end())
            samples.push_back(text);
    }
};

struct Hunt {
    std::string canary;
    std::uint64_t mask = 0;
    Tally tally;
    std::set<std::string> seen;  // "pid start-time"
    pid_t newest = 0;
};

bool exists(const std::string& path) {
    struct stat status {};
    return lstat(path.c_str(), &status) == 0;
}

void look_through(Hunt& hunt, const std::string& folder) {
    Tally& tally = hunt.tally;
    ++tally.root_tries;
    if (exists(folder + "/root" + hunt.canary)) {
        ++tally.host_roots;
        tally.sample(folder + "/root is the host's (" + link_target(folder + "/exe") + ")");
    }
    if (exists(folder + "/cwd" + hunt.canary)) {
        ++tally.host_cwds;
        tally.sample(folder + "/cwd is " + link_target(folder + "/cwd"));
    }
    DIR* descriptors = opendir((folder + "/fd").c_str());
    if (descriptors == nullptr) return;
    while (const dirent* entry = readdir(descriptors)) {
        if (entry->d_name[0] == '.') continue;
        const auto path = folder + "/fd/" + entry->d_name;
        struct stat status {};
        ++tally.descriptor_tries;
        if (stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) continue;
        ++tally.directories;
        if (exists(path + hunt.canary)) ++tally.host_descriptors;
        tally.sample(path + " is a folder: " + link_target(path));
    }
    closedir(descriptors);
}

void check_capabilities(Hunt& hunt, const std::string& folder) {
    std::istringstream status{slurp(folder + "/status")};
    for (std::string name, rest; status >> name && std::getline(status, rest);) {
        if (name != "CapEff:" && name != "CapPrm:") continue;
        const auto held = std::strtoull(rest.c_str(), nullptr, 16);
        if ((held & ~hunt.mask) == 0) continue;
        ++hunt.tally.excess;
        hunt.tally.sample(folder + " " + name + rest + " while seized");
        return;
    }
}

/// A stop that is a signal's delivery goes on with that signal; one of ptrace's own with none.
void detach(pid_t pid, int status) {
    const bool is_event = (status >> 16) != 0;
    ptrace(PTRACE_DETACH, pid, nullptr, is_event ? 0L : static_cast<long>(WSTOPSIG(status)));
}

/// Only a stopped tracee can be let go; one that is late to stop is let go by release_late_ones.
void let_go(pid_t pid) {
    ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
    for (int tries = 0; tries < 100; ++tries) {
        int status = 0;
        const pid_t got = waitpid(pid, &status, WNOHANG | __WALL);
        if (got < 0 || (got == pid && !WIFSTOPPED(status))) return;
        if (got == pid) return detach(pid, status);
        poll(nullptr, 0, 1);
    }
}

/// Or they would be held for ever, and their launch with them.
void release_late_ones() {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0;)
        if (WIFSTOPPED(status)) detach(pid, status);
}

bool seize(Hunt& hunt, pid_t pid) {
    ++hunt.tally.seize_tries;
    if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return false;
    ++hunt.tally.seized;
    const auto folder = "/proc/" + std::to_string(pid);
    check_capabilities(hunt, folder);
    look_through(hunt, folder);
    let_go(pid);
    return true;
}

/// The next numbers are where the next process will appear: try them before /proc shows them.
void ambush(Hunt& hunt) {
    for (int tries = 0; tries < 64; ++tries)
        for (pid_t pid = hunt.newest + 1; pid <= hunt.newest + 3; ++pid)
            if (seize(hunt, pid)) return;
}

std::string identity(const std::string& pid) {
    const auto stat = slurp("/proc/" + pid + "/stat");
    const auto close = stat.rfind(')');
    if (close == std::string::npos) return "";
    std::istringstream rest{stat.substr(close + 1)};
    std::string field;
    for (int i = 3; i <= 22; ++i)
        rest >> field;
    return pid + " " + field;
}

void hunt_once(Hunt& hunt) {
    ++hunt.tally.rounds;
    release_late_ones();
    for (const auto& name : list("/proc")) {
        const auto pid = static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10));
        if (pid <= 0 || pid == getpid()) continue;
        const auto who = identity(name);
        if (!who.empty() && hunt.seen.insert(who).second) {
            ++hunt.tally.newborns;
            seize(hunt, pid);
        }
        look_through(hunt, "/proc/" + name);
        hunt.newest = std::max(hunt.newest, pid);
    }
    ambush(hunt);
}

void report(const Tally& tally) {
    std::ostringstream json;
    json << "{\"rounds\":" << tally.rounds << ",\"rootTries\":" << tally.root_tries
         << ",\"fdTries\":" << tally.descriptor_tries << ",\"seizeTries\":" << tally.seize_tries
         << ",\"newborns\":" << tally.newborns << ",\"seized\":" << tally.seized
         << ",\"hostRoots\":" << tally.host_roots << ",\"hostCwds\":" << tally.host_cwds
         << ",\"hostFds\":" << tally.host_descriptors << ",\"directoryFds\":" << tally.directories
         << ",\"excessCaps\":" << tally.excess << ",\"samples\":" << quoted_list(tally.samples)
         << "}";
    say(json.str());
}

}  // namespace

int hostile(const Arguments& arguments) {
    if (arguments.size() != 3 || arguments[1].empty() || arguments[1][0] != '/') {
        say("usage: hostile SECONDS /CANARY CAPABILITY-MASK");
        return 2;
    }
    signal(SIGTERM, on_terminate);
    Hunt hunt;
    hunt.canary = arguments[1];
    hunt.mask = std::strtoull(arguments[2].c_str(), nullptr, 16);
    const double end = now() + std::strtod(arguments[0].c_str(), nullptr);
    while (g_stop == 0 && now() < end)
        hunt_once(hunt);
    report(hunt.tally);
    return 0;
}

}  // namespace probe
