// Options of covey::Sandbox and covey::Container. Plain values; every default is the API's.
// `= {}` lets `{.pid_mode = …}` be written without a warning about the other members.
// Thread rule: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey {

/// Where a container's processes live. nested: PID 1 of a namespace of their own inside the
/// sandbox's; target: in the namespace of the container that is named.
enum class PidMode { pod, nested, container, target, node };

/// `size` ids from `container_id` on are the host's from `host_id` on.
struct IdMapping {
    std::uint32_t container_id = 0, host_id = 0, size = 0;
};

struct SandboxOptions {
    /// Folder for the sandbox's state; made with mode 0700. Must be the caller's alone.
    std::string state_root = "/run/covey/lib";
    /// Empty: the sandbox's id.
    std::string hostname = {};
    /// net, ipc, uts, user, time → "new", "host" or an absolute nsfs path.
    std::map<std::string, std::string> namespaces = {};
    /// Of a new user namespace, which needs both.
    std::vector<IdMapping> uid_mappings = {}, gid_mappings = {};
    std::map<std::string, std::string> sysctls = {};
    std::string cgroup_parent = "/covey";
};

struct ContainerOptions {
    PidMode pid_mode = PidMode::nested;
    /// With pid mode target: a container of the same sandbox that has not ended.
    std::string target = {};
    /// What it may do to its neighbours' processes: "open", "private" or "observer".
    std::string access = "open";
    /// A container of the same sandbox that runs: its root is to be seen at /target, read-only.
    std::string view = {};
    /// Its main process only waits, whatever the bundle says: the container is there for execs.
    bool holds = false;
    /// Names with or without CAP_.
    std::vector<std::string> add_capabilities = {}, drop_capabilities = {};
    /// "null", "file:/path", "fifo:/path"; for stdin also "hold" (open, never ends).
    std::string stdin_ = "null", stdout_ = "null", stderr_ = "null";
};

struct ExitStatus {
    int exit_code = 0;  // 128 + signal when killed by one
    int signal = 0;     // 0: it exited by itself
    bool oom_killed = false;
    std::int64_t exited_at = 0;  // Unix microseconds
};

struct ExecOptions {
    std::vector<std::string> args = {};
    std::vector<std::string> env = {};  // NAME=value, added to the container's
    std::optional<uid_t> uid = {};
    std::optional<gid_t> gid = {};
    std::optional<std::string> cwd = {};
    /// Borrowed descriptors for the process's standard streams; -1: /dev/null.
    int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
};

}  // namespace covey
