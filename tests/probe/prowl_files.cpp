// /proc/N as a way into another process.
#include "probe.hpp"
#include "prowl.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace probe {
namespace {

constexpr std::size_t kMost = 1U << 20U;

constexpr const char* kFiles[] = {
    "cmdline", "environ",       "maps",         "smaps",     "smaps_rollup", "numa_maps",
    "status",  "stat",          "statm",        "comm",      "io",           "stack",
    "syscall", "pagemap",       "auxv",         "limits",    "personality",  "wchan",
    "sched",   "schedstat",     "cgroup",       "mountinfo", "mounts",       "mountstats",
    "uid_map", "setgroups",     "oom_score",    "sessionid", "timers",       "timerslack_ns",
    "cpuset",  "oom_score_adj", "attr/current", "fdinfo/1",  "net/unix",     "ksm_stat"};
constexpr const char* kWritten[] = {"mem",     "oom_score_adj", "comm",          "clear_refs",
                                    "uid_map", "setgroups",     "timerslack_ns", "coredump_filter"};
constexpr const char* kLinks[] = {"root",   "cwd",    "exe",     "ns/pid", "ns/mnt", "ns/net",
                                  "ns/ipc", "ns/uts", "ns/user", "fd/0",   "fd/1",   "fd/3"};
constexpr const char* kFolders[] = {"fd", "fdinfo", "task", "map_files", "ns", "net", "attr"};

/// An empty text also when nothing was to be had.
std::string content(const std::string& path, off_t at = 0, std::size_t most = kMost) {
    const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    std::string text;
    if (fd < 0) return text;
    text.resize(most);
    ssize_t got = pread(fd, text.data(), text.size(), at);
    if (got < 0) got = read(fd, text.data(), text.size());
    close(fd);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
}

void try_content(Loot& loot, const std::string& path, const std::string& way) {
    ++loot.tries;
    const auto text = content(path);
    if (text.empty()) return;
    loot.reach(way);
    loot.look(way, text);
}

void try_memory(Loot& loot, const std::string& folder) {
    const auto part = [&](std::uint64_t start, std::size_t size) {
        ++loot.tries;
        const auto text = content(folder + "/mem", static_cast<off_t>(start), size);
        if (text.empty()) return;
        loot.reach("mem");
        loot.look("mem", text);
    };
    // Its maps tell where; without them, where it must be in a program like this one.
    part(reinterpret_cast<std::uint64_t>(g_secret), sizeof g_secret);
    std::istringstream maps{content(folder + "/maps")};
    for (std::string line; std::getline(maps, line);) {
        std::uint64_t start = 0, end = 0;
        if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &start, &end) != 2) continue;
        if (line.find(" rw") != std::string::npos)
            part(start, std::min<std::uint64_t>(end - start, kMost));
    }
}

void try_folder(Loot& loot, const std::string& folder, const std::string& name) {
    ++loot.tries;
    const int fd =
        open((folder + "/" + name).c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return;
    close(fd);
    for (const auto& entry : list(folder + "/" + name)) {
        loot.reach(name);
        const auto path = folder + "/" + name + "/" + entry;
        if (link_target(path)[0] != '?') loot.reach(name + " links");
        if (name != "ns") try_content(loot, path, name + " contents");
    }
}

}  // namespace

void Loot::look(const std::string& way, const std::string& bytes) {
    for (auto at = bytes.find(token); at != std::string::npos; at = bytes.find(token, at + 1)) {
        ++canaries[way];
        const auto start = at + token.size() + 1;
        auto end = start;
        while (end < bytes.size() && bytes[end] >= 'a' && bytes[end] <= 'z')
            ++end;
        if (end > start) places.insert(bytes.substr(start, end - start));
    }
}

void try_files(Loot& loot, const std::string& folder) {
    struct stat status {};
    ++loot.tries;
    if (stat(folder.c_str(), &status) == 0) loot.reach("folder");
    for (const char* name : kFiles)
        try_content(loot, folder + "/" + name, name);
    for (const char* name : kWritten) {
        ++loot.tries;
        const int fd = open((folder + "/" + name).c_str(), O_WRONLY | O_CLOEXEC);
        if (fd >= 0) loot.reach(std::string{"writing "} + name);
        if (fd >= 0) close(fd);
    }
    for (const char* name : kLinks) {
        ++loot.tries;
        if (link_target(folder + "/" + name)[0] != '?') loot.reach(name);
    }
    for (const char* name : kFolders)
        try_folder(loot, folder, name);
    for (const char* name : {"root", "cwd"})
        try_content(loot, folder + "/" + name + "/etc/secret", std::string{name} + " contents");
    try_memory(loot, folder);
}

void try_detour(Loot& loot, const std::string& folder) {
    struct stat status {};
    ++loot.tries;
    if (stat(folder.c_str(), &status) == 0) loot.reach("detour");
    for (const char* name : {"cmdline", "environ", "status", "root/etc/secret"})
        try_content(loot, folder + "/" + name, "detour");
}

}  // namespace probe
