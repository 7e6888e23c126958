// Who is in a pod: every process of a sandbox's cgroup with its container, its numbers and rights.
// Attribution is by cgroup, never by parent links (they lie: reparenting). Used by coveyd.
// Thread rule: any thread. Reads /proc and cgroupfs; waits for no process of a tenant's but as
// core/patient_reading.hpp says.
#pragma once

#include "cgroup/cgroup.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::core {

struct PodProcess {
    pid_t pid = 0;            // host
    pid_t pod_pid = 0;        // in the sandbox's PID namespace, 0 if not in there
    pid_t container_pid = 0;  // in its own PID namespace
    pid_t ppid = 0;           // host number of the parent
    std::string container;    // empty: pause
    std::string exec;         // empty: not from an exec
    uid_t uid = 0;
    gid_t gid = 0;
    char state = '?';     // 'Z': ended, and its parent has not asked how
    bool orphan = false;  // its parent ended: it was given to pause, or to the host
    std::string name;     // of its program, at most 15 bytes; a zombie has nothing else
    std::uint64_t rss_bytes = 0;
    std::uint64_t cpu_milliseconds = 0;  // user + system, of all its threads so far
    std::uint64_t start_time = 0;        // clock ticks since boot
    std::vector<std::string> command;
    std::uint64_t capabilities = 0;  // effective
    bool no_new_privileges = false;
};

/// Whose the processes of a group below the pod's are: `below` is what follows the pod's path
/// ("/nginx.ctr/e1.exec").
struct ProcessOwner {
    std::string container, exec;
};
[[nodiscard]] ProcessOwner owner_of_group(std::string_view below);

/// One process; nothing when it is gone. Its container and exec are not filled in.
[[nodiscard]] std::optional<PodProcess> read_process(FdRef proc, pid_t pid,
                                                     std::uint64_t pod_namespace_inode);
/// Host numbers of all that are in a group and below, but zombies; empty when it is gone.
[[nodiscard]] std::vector<pid_t> processes_below(const cgroup::Host& host,
                                                 const std::string& group);

/// Zombies, which no group lists, are found as children of those that it does. Processes that end
/// while being read are left out, and so are the shim's own, which launch. `sandbox_cgroup` is
/// "/covey/web.pod"; `pod_namespace_inode` is the sandbox's PID namespace. Sorted by host number;
/// empty when the cgroup is gone.
[[nodiscard]] std::vector<PodProcess> list_pod_processes(const cgroup::Host& host,
                                                         const std::string& sandbox_cgroup,
                                                         std::uint64_t pod_namespace_inode);
/// The same with the host's procfs opened by the caller, who asks often (or is a test).
[[nodiscard]] std::vector<PodProcess> list_pod_processes(const cgroup::Host& host,
                                                         const std::string& sandbox_cgroup,
                                                         std::uint64_t pod_namespace_inode,
                                                         FdRef proc);

}  // namespace covey::core
