#include "support/leak_check.hpp"

#include "base/text.hpp"
#include "support/hooks.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace covey::test {
namespace {

using Clock = std::chrono::steady_clock;
using Lines = std::vector<std::string>;

std::vector<std::string> g_watched_dirs;
std::vector<pid_t> g_watched_pids;
Snapshot g_before;
UniqueFd g_lock;

std::string slurp(const std::string& path) {
    return sys::read_file(path).value_or("");
}

std::string link_target(const fs::path& path) {
    std::error_code gone;
    return fs::read_symlink(path, gone).string();
}

/// Names in a folder; empty when it is gone. (A process or cgroup may end while it is looked at.)
std::vector<fs::directory_entry> entries(const fs::path& path) {
    std::vector<fs::directory_entry> found;
    std::error_code gone;
    for (fs::directory_iterator at{path, gone}, end; !gone && at != end; at.increment(gone))
        found.push_back(*at);
    return found;
}

bool starts_with_any(const std::string& text, std::initializer_list<const char*> prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const char* prefix) { return text.rfind(prefix, 0) == 0; });
}

bool is_program_name(const std::string& name) {
    return name == "coveyd" || name == "covey" || starts_with_any(name, {"covey-", "covey:["});
}

struct Process {
    pid_t parent = 0;
    char state = '?';
    std::string comm, start_time, command;
    bool is_ours = false;
};

/// proc_pid_stat(5): "pid (comm) state ppid … starttime(22) …"; comm may hold ") ".
bool parse_stat(const std::string& stat, Process& process) {
    const auto open = stat.find('(');
    const auto close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos) return false;
    process.comm = stat.substr(open + 1, close - open - 1);
    std::istringstream rest{stat.substr(close + 1)};
    rest >> process.state >> process.parent;
    for (int field = 5; field <= 22; ++field)
        rest >> process.start_time;
    return !rest.fail();
}

bool has_our_marks(const std::string& folder, const Process& process) {
    const auto exe = link_target(folder + "/exe");
    const auto argv0 = process.command.substr(0, process.command.find(' '));
    if (is_program_name(fs::path{exe}.filename().string()) || is_program_name(process.comm) ||
        is_program_name(fs::path{argv0}.filename().string()))
        return true;
    if (argv0 == "/pause" || starts_with_any(exe, {"/memfd:covey", "memfd:covey"})) return true;
    // What a container left behind may be any program; its cgroup says whose it is.
    return slurp(folder + "/cgroup").find("/covey") != std::string::npos;
}

std::map<pid_t, Process> all_processes() {
    std::map<pid_t, Process> processes;
    for (const auto& entry : entries("/proc")) {
        const auto pid = parse_u32(entry.path().filename().string());
        if (!pid) continue;
        const auto folder = entry.path().string();
        Process process;
        if (!parse_stat(slurp(folder + "/stat"), process)) continue;
        process.command = slurp(folder + "/cmdline");
        std::replace(process.command.begin(), process.command.end(), '\0', ' ');
        process.is_ours = has_our_marks(folder, process);
        processes.emplace(static_cast<pid_t>(*pid), std::move(process));
    }
    return processes;
}

bool descends_from(const std::map<pid_t, Process>& processes, pid_t pid, pid_t ancestor) {
    for (int depth = 0; depth < 64; ++depth) {
        const auto at = processes.find(pid);
        if (at == processes.end()) return false;
        if (at->second.parent == ancestor) return true;
        pid = at->second.parent;
    }
    return false;
}

/// "pid/start-time" comes first: the rest of a line may change while a process lives.
Lines our_processes() {
    Lines lines;
    const auto processes = all_processes();
    for (const auto& [pid, process] : processes) {
        if (pid == getpid()) continue;
        if (!process.is_ours && !descends_from(processes, pid, getpid())) continue;
        std::ostringstream line;
        line << pid << '/' << process.start_time << " (" << process.comm << ") state "
             << process.state << " parent " << process.parent << ' ' << process.command;
        lines.push_back(line.str());
    }
    return lines;
}

/// proc_pid_mountinfo(5): id parent device root mount-point options … - type source …
/// An open mountinfo stays with the namespace it was opened in: a case may unshare its own.
Lines mounts() {
    static const auto file = sys::open("/proc/self/mountinfo", O_RDONLY);
    Lines lines;
    if (!file || lseek(file.value().get(), 0, SEEK_SET) != 0) return {"mountinfo is unreadable"};
    std::istringstream table{sys::read_all(file.value(), 1U << 24U).value_or("")};
    for (std::string row; std::getline(table, row);) {
        std::istringstream fields{row};
        std::string id, skip, point, type, source;
        fields >> id >> skip >> skip >> skip >> point;
        while (fields >> skip && skip != "-") {
        }
        fields >> type >> source;
        lines.push_back(id + " " + point + " (" + type + " " + source + ")");
    }
    return lines;
}

void collect_cgroups(const fs::path& folder, Lines& lines) {
    for (const auto& entry : entries(folder)) {
        std::error_code gone;
        if (entry.is_symlink(gone) || !entry.is_directory(gone)) continue;
        const auto path = entry.path().string();
        if (path.find("covey") != std::string::npos) lines.push_back(path);
        collect_cgroups(entry.path(), lines);
    }
}

/// Each hierarchy's own "/covey", the default parent of sandboxes, may stay.
Lines cgroups() {
    Lines lines;
    collect_cgroups("/sys/fs/cgroup", lines);
    std::erase_if(lines, [](const std::string& path) {
        const auto depth = std::count(path.begin(), path.end(), '/');
        return path.ends_with("/covey") && depth <= 5;
    });
    return lines;
}

Lines descriptors() {
    Lines lines;
    for (const auto& entry : entries("/proc/self/fd")) {
        const auto target = link_target(entry.path());
        // Empty, or the list itself: the descriptor that the listing used.
        if (target.empty() || target == "/proc/" + std::to_string(getpid()) + "/fd") continue;
        lines.push_back(entry.path().filename().string() + " -> " + target);
    }
    for (const auto pid : g_watched_pids) {
        for (const auto& entry : entries("/proc/" + std::to_string(pid) + "/fd")) {
            const auto target = link_target(entry.path());
            if (!target.empty())
                lines.push_back("of process " + std::to_string(pid) + ": " +
                                target.substr(0, target.find(":[")));
        }
    }
    return lines;
}

void collect_files(const fs::path& folder, Lines& lines) {
    for (const auto& entry : entries(folder)) {
        lines.push_back(entry.path().string());
        std::error_code gone;
        if (!entry.is_symlink(gone) && entry.is_directory(gone)) collect_files(entry.path(), lines);
    }
}

Lines files() {
    Lines lines;
    for (const auto& folder : g_watched_dirs)
        collect_files(folder, lines);
    return lines;
}

/// A multiset difference: two descriptors may look alike, and one of them be a leak.
template <typename Key>
void add_new(const char* kind, const Lines& before, const Lines& after, Key key, Lines& leaks) {
    std::multiset<std::string> known;
    for (const auto& line : before)
        known.insert(key(line));
    for (const auto& line : after) {
        const auto at = known.find(key(line));
        if (at == known.end())
            leaks.push_back(std::string{"leaked "} + kind + ": " + line);
        else
            known.erase(at);
    }
}

Lines difference(const Snapshot& before, const Snapshot& after) {
    const auto whole = [](const std::string& line) { return line; };
    const auto first_word = [](const std::string& line) { return line.substr(0, line.find(' ')); };
    Lines leaks;
    add_new("process", before.processes, after.processes, first_word, leaks);
    add_new("mount", before.mounts, after.mounts, whole, leaks);
    add_new("cgroup", before.cgroups, after.cgroups, whole, leaks);
    add_new("descriptor", before.descriptors, after.descriptors, whole, leaks);
    add_new("file", before.files, after.files, whole, leaks);
    return leaks;
}

/// Programs that check take turns, up to a limit: better a false alarm than a test that never runs.
/// A program that such a program starts shares its turn.
void take_turn() {
    constexpr auto kHeld = "COVEY_TEST_TURN";
    if (g_lock || std::getenv(kHeld) != nullptr) return;
    auto lock = sys::open("/run/covey-test.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (!lock) return;  // not root: nothing of the machine is shared
    const auto deadline = Clock::now() + std::chrono::seconds{30};
    while (flock(lock.value().get(), LOCK_EX | LOCK_NB) != 0) {
        if (Clock::now() > deadline) {
            std::cout << "leak check: another test program holds the lock; going on\n";
            break;
        }
        poll(nullptr, 0, 50);
    }
    g_lock = std::move(lock).value();
    setenv(kHeld, "1", 1);
}

void before_pass() {
    take_turn();
    g_before = take_snapshot();
}

Lines after_pass() {
    return leaks_since(g_before);
}

}  // namespace

Snapshot take_snapshot() {
    // Mounts first: they open the descriptor that stays.
    auto mounted = mounts();
    return {our_processes(), std::move(mounted), cgroups(), descriptors(), files()};
}

Lines leaks_since(const Snapshot& before, std::chrono::milliseconds patience) {
    const auto deadline = Clock::now() + patience;
    while (true) {
        auto leaks = difference(before, take_snapshot());
        if (leaks.empty() || Clock::now() > deadline) return leaks;
        poll(nullptr, 0, 20);
    }
}

bool enable_leak_check() {
    set_pass_hooks({before_pass, after_pass});
    return true;
}

void watch_dir(const std::string& path) {
    g_watched_dirs.push_back(path);
}

void watch_descriptors(pid_t pid) {
    g_watched_pids.push_back(pid);
}

}  // namespace covey::test
