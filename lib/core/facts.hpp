// What a shim is told to make and what it says of it: configurations and facts of sandboxes,
// containers and execs. Parts of the messages (core/messages.hpp), of the records on disk and of
// the daemon's views. Thread rule: values.
#pragma once

#include "core/exit_record.hpp"
#include "core/namespace_wish.hpp"
#include "spec/access.hpp"
#include "spec/tables.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::core {

struct SandboxConfig {
    std::string id;
    std::string hostname;  // empty: the sandbox's id, cut to 64 bytes
    /// Keys net, ipc, uts, user, time. Absent: net, ipc, uts are created, user and time are the
    /// host's.
    std::map<std::string, NamespaceWish> namespaces;
    std::map<std::string, std::string> sysctls;
    std::string cgroup_parent = "/covey";
};

/// unknown: coveyd's alone, of what runs or has run without a record that can be read. A shim never
/// says it.
enum class SandboxState { creating, ready, stopping, stopped, unknown };
enum class ContainerState { creating, created, running, paused, stopped, unknown };
[[nodiscard]] std::string_view state_name(SandboxState state) noexcept;
[[nodiscard]] std::string_view state_name(ContainerState state) noexcept;
/// Nothing for a word that is no state.
[[nodiscard]] std::optional<SandboxState> sandbox_state(std::string_view name) noexcept;
[[nodiscard]] std::optional<ContainerState> container_state(std::string_view name) noexcept;

struct NamespaceFacts {
    std::string path;  // "/proc/<pause>/ns/pid"; the engine puts its pin's path here
    std::uint64_t device = 0, inode = 0;
};

struct SandboxFacts {
    std::string id;
    SandboxState state = SandboxState::creating;
    pid_t pause_pid = 0;                 // host number, 0 when stopped
    std::uint64_t pause_start_time = 0;  // clock ticks since boot
    pid_t shim_pid = 0;
    std::uint64_t shim_start_time = 0;
    std::map<std::string, NamespaceFacts>
        namespaces;  // pid, net, ipc, uts, user, time: the pod's own or joined
    /// Of its user namespace, with ids of the host; empty: it has none.
    std::vector<spec::IdMapping> uid_mappings, gid_mappings;
    std::string cgroup;           // "/covey/web.pod"
    std::int64_t created_at = 0;  // Unix microseconds, as all times here
    std::int64_t stopped_at = 0;
    std::vector<std::string> warnings;
    std::optional<ExitRecord> exit;  // of pause
    /// What is on disk is older than this: it could not be written (a full or failing disk), and
    /// is tried again.
    bool record_stale = false;
};

/// "null", "file:/path", "fifo:/path"; for stdin also "hold".
struct Stdio {
    std::string in = "null", out = "null", err = "null";
};

struct ContainerConfig {
    std::string id;
    std::string bundle;
    spec::PidMode pid_mode = spec::PidMode::nested;
    std::uint64_t add_capabilities = 0, drop_capabilities = 0;
    Stdio stdio;
    std::string target;  // in pid mode target, and only there: of the same sandbox
    spec::Access access;
    spec::Pid1Signals pid1_signals = spec::Pid1Signals::ignore;
    std::string view;    // whose root it has at /target, read-only: of the same sandbox
    bool holds = false;  // its main process does nothing: the container is there for execs
};

struct ContainerFacts {
    ContainerConfig config;
    ContainerState state = ContainerState::creating;
    pid_t pid = 0;      // host number, 0 when stopped
    pid_t pod_pid = 0;  // in the sandbox's PID namespace, 0 if it is not in there
    std::uint64_t start_time = 0;
    std::string cgroup;
    bool terminal = false;
    std::vector<std::string> command, warnings;
    std::int64_t created_at = 0, started_at = 0;
    std::int64_t paused_at = 0;  // only in the state paused
    std::optional<ExitRecord> exit;
    bool record_stale = false;  // as the sandbox's
    /// What execs have been given that the main process has not, for good: who was started by one
    /// may be there still.
    std::uint64_t exec_capabilities = 0;
    bool exec_other_user = false;
};

struct ExecConfig {
    std::string container, exec;  // exec: an id, unique in the container
    std::vector<std::string> args, env;
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
    std::optional<std::string> cwd;
    bool terminal = false;
    std::uint16_t rows = 0, columns = 0;
    std::uint64_t add_capabilities = 0;
};
struct ExecFacts {
    std::string container, exec;
    pid_t pid = 0, pod_pid = 0;
    std::uint64_t start_time = 0;
    std::string cgroup;
};

}  // namespace covey::core
