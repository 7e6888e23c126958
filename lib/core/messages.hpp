// What coveyd (or the façade) and a shim say to each other, as types. One SOCK_SEQPACKET packet is
// one message; core/protocol turns these into bytes and back. The table of all messages:
//
// clang-format off
//   client → shim     shim → client (one answer, same number)
//   CreateSandbox     SandboxFacts
//   CreateContainer   ContainerFacts
//   StartContainer    ContainerFacts     after a clean exec
//   KillContainer     Done
//   DeleteContainer   Done               after the group is proved empty
//   Exec              ExecFacts          with stdin, stdout, stderr; its answer with a pty's master
//   KillExec          Done
//   StopSandbox       SandboxFacts       after pause is reaped
//   Status            StatusItem…, Done  one packet an item: no limit on their number
//   Shutdown          Done               then the shim ends; refused while anything runs
//   –                 Event              to every connected client, no number
// clang-format on
//
// Thread rule: values.
#pragma once

#include "core/exit_record.hpp"
#include "core/namespace_wish.hpp"
#include "covey/error.hpp"
#include "spec/access.hpp"
#include "spec/tables.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
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

enum class SandboxState { creating, ready, stopping, stopped };
enum class ContainerState { creating, created, running, stopped };
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
    std::optional<ExitRecord> exit;
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

struct CreateSandbox {
    SandboxConfig config;
};
struct CreateContainer {
    ContainerConfig config;
};
struct StartContainer {
    std::string id;
};
struct KillContainer {
    std::string id;
    int signal = 15;
    bool all = false;  // every process of the container's cgroup
};
struct DeleteContainer {
    std::string id;
    bool force = false;  // kill first
};
struct Exec {
    ExecConfig config;
};
struct KillExec {
    std::string container, exec;
};
struct StopSandbox {};
struct Status {};
struct Shutdown {};

using RequestBody = std::variant<CreateSandbox, CreateContainer, StartContainer, KillContainer,
                                 DeleteContainer, Exec, KillExec, StopSandbox, Status, Shutdown>;
struct Request {
    std::uint64_t number = 0;  // chosen by the client, comes back with the answer
    RequestBody body;
};

struct Done {};
/// One thing the shim holds; `more` packets follow until Done.
struct StatusItem {
    std::variant<SandboxFacts, ContainerFacts, ExecFacts> item;
};
using ReplyBody = std::variant<Done, SandboxFacts, ContainerFacts, ExecFacts, StatusItem, Error>;
struct Reply {
    std::uint64_t number = 0;
    ReplyBody body;
};

/// A start has been carried out whose client has left meanwhile: told to whoever came after it.
struct ContainerStarted {
    ContainerFacts facts;
};
/// The main process ended and every process of its group is gone.
struct ContainerExited {
    std::string id;
    ExitRecord exit;
};
struct ExecExited {
    std::string container, exec;
    ExitRecord exit;
};
/// pause is gone, and with it the pod.
struct SandboxStopped {
    std::string reason;
    std::optional<ExitRecord> exit = std::nullopt;  // of pause
};
using Event = std::variant<ContainerExited, ExecExited, SandboxStopped, ContainerStarted>;

using ShimMessage = std::variant<Reply, Event>;

}  // namespace covey::core
