// Reading /proc/<pid>: stat, status, cmdline, boot id. The root of procfs is a descriptor, so tests
// can point it at a tree of their own. Thread rule: any thread. Does not block.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::sys {

/// The host's procfs (O_PATH of /proc), checked by statfs.
Result<UniqueFd> open_proc();

/// PID_MAX_LIMIT, proc(5).
inline constexpr std::uint64_t kLargestPid = 4194304;

struct ProcessStat {
    std::string comm;
    char state = '?';  // R S D Z T …
    pid_t ppid = 0;
    int exit_code = 0;             // of a zombie, as wait(2) has it; only its inspector is told
    bool is_exiting = false;       // PF_EXITING (Linux, include/linux/sched.h)
    bool has_executed = false;     // no PF_FORKNOEXEC: a program since its fork
    std::uint64_t start_time = 0;  // clock ticks since boot: with the pid and boot id an identity
    std::uint64_t rss_pages = 0;
    std::uint64_t cpu_ticks = 0;  // user + system
    unsigned threads = 0;
};
Result<ProcessStat> read_stat(FdRef proc, pid_t pid);
/// The end of all its threads has begun (PF_EXITING), or they are gone: none runs a line of its
/// program again. The first process of a PID namespace stays so until all others of it have been
/// reaped (pid_namespaces(7)), which a tracer outside can keep from being for ever.
[[nodiscard]] bool is_ending(FdRef proc, pid_t pid);
/// For tests and other readers: the text of /proc/<pid>/stat.
Result<ProcessStat> parse_stat(std::string_view text);

struct ProcessStatus {
    pid_t tgid = 0;  // not the number it was read by: that is a thread's
    uid_t uid = 0;   // effective
    gid_t gid = 0;
    /// Real, effective, saved, of the filesystem.
    std::array<uid_t, 4> uids{};
    std::array<gid_t, 4> gids{};
    pid_t tracer = 0;  // who traces it, 0: nobody
    /// The process's number in each PID namespace, the reader's first (NSpid).
    std::vector<pid_t> ns_pids;
    std::uint64_t cap_effective = 0, cap_permitted = 0, cap_bounding = 0;
    bool no_new_privs = false;
    int seccomp = 0;
};
Result<ProcessStatus> read_status(FdRef proc, pid_t pid);
Result<ProcessStatus> parse_status(std::string_view text);

/// argv; empty for zombies and kernel threads. At most 64 KiB are read.
Result<std::vector<std::string>> read_cmdline(FdRef proc, pid_t pid);
/// The processes' numbers, sorted.
Result<std::vector<pid_t>> list_processes(FdRef proc);

/// /proc/sys/kernel/random/boot_id.
Result<std::string> boot_id();

}  // namespace covey::sys
