// Everything the API can ask, as types: decoded and validated, no side effects yet. api/*_codec.cpp
// makes them from HTTP, engine/ carries them out. Each says when it is allowed.
// Thread rule: values.
#pragma once

#include "core/access.hpp"
#include "core/engine_containers.hpp"
#include "core/messages.hpp"
#include "core/processes.hpp"
#include "spec/tables.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::daemon {

using StringMap = std::map<std::string, std::string>;

/// PUT /v1/sandboxes/{id}, POST /v1/sandboxes. Allowed when no sandbox has the id; the same request
/// again answers 200 with what is there, a different one 409.
struct CreateSandboxAction {
    std::string id;  // empty: the engine makes one up (POST)
    std::string hostname;
    spec::PidMode pid_mode = spec::PidMode::nested;              // default of its containers
    spec::Access access;                                         // default of its containers
    spec::Pid1Signals pid1_signals = spec::Pid1Signals::ignore;  // of those in pid mode pod
    std::map<std::string, core::NamespaceWish> namespaces;
    StringMap sysctls;
    std::string cgroup_parent = "/covey";
    StringMap labels, annotations;
    friend bool same_request(const CreateSandboxAction&, const CreateSandboxAction&);
};

/// Roughly what kubectl debug's profiles of that name give (docs/sharing.md).
enum class DebugProfile { general, restricted, sysadmin };
inline constexpr std::array<std::string_view, 3> kDebugProfiles{"general", "restricted",
                                                                "sysadmin"};
/// How long a debugger may be there at most.
inline constexpr std::chrono::hours kLongestDebugging{24};

/// What is kept of a debugger's request with its container.
struct DebugTerms {
    DebugProfile profile = DebugProfile::general;
    std::string target;           // whose root it has at /target; empty: nobody's
    std::string tools;            // its own root
    bool remove = true;           // when it has ended; one that holds: when its last exec has
    bool holds = false;           // it runs nothing of its own: it is there for execs
    std::int64_t expires_at = 0;  // Unix microseconds: then it is removed in any case
    friend bool operator==(const DebugTerms&, const DebugTerms&) = default;
    friend auto operator<=>(const DebugTerms&, const DebugTerms&) = default;
};

/// PUT /v1/containers/{id}. Allowed when the sandbox is ready and no container of any sandbox has
/// the id; the same request again answers 200, a different one 409.
struct CreateContainerAction {
    std::string id, sandbox, bundle;
    std::optional<spec::PidMode> pid_mode;          // absent: the sandbox's
    std::optional<spec::Access> access;             // absent: the sandbox's
    std::optional<spec::Pid1Signals> pid1_signals;  // absent: the sandbox's; in pid mode pod
    std::string target;                             // in mode target: a container of the sandbox
    std::uint64_t add_capabilities = 0, drop_capabilities = 0;
    core::Stdio stdio;
    StringMap labels;
    std::string seccomp;              // what its configuration's filter is called; empty: not said
    std::optional<DebugTerms> debug;  // of a container that DebugAction made
    /// With an absent pid mode filled in on both sides.
    friend bool same_request(const CreateContainerAction&, const CreateContainerAction&);
};

/// POST /v1/sandboxes/{id}/debug: a container in the pod's PID namespace, or the target's, with
/// tools of its own, created and started. Allowed while the sandbox is ready and the target runs.
struct DebugAction {
    std::string sandbox;
    std::string id;             // empty: the engine makes one up
    std::string target;         // empty: none
    bool joins_target = false;  // pid mode target
    std::string tools;          // absolute; empty: coveyd's own (EngineConfig)
    DebugProfile profile = DebugProfile::general;
    std::chrono::milliseconds ttl{std::chrono::hours{1}};
    bool remove = false;               // as in DebugTerms
    std::vector<std::string> command;  // empty: it holds
    std::vector<std::string> env;
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
    std::uint64_t add_capabilities = 0, drop_capabilities = 0;
    spec::Access access = spec::kOpen;
    core::Stdio stdio;
    StringMap labels;
};

/// POST /v1/containers/{id}/exec. Allowed while the container runs.
struct ExecAction {
    std::string container;
    std::vector<std::string> command, env;
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
    std::optional<std::string> cwd;
    bool terminal = false;
    std::uint16_t rows = 0, columns = 0;
    std::uint64_t add_capabilities = 0;
};

/// POST /v1/containers/{id}/kill. Allowed while it is created, running or paused.
struct KillAction {
    std::string container;
    int signal = 15;
    bool all = false;
    std::optional<pid_t> pid;  // one process of the container, by its host number
};

/// POST /v1/containers/{id}/update. Allowed until it has ended.
struct UpdateAction {
    std::string container;
    std::string resources;  // OCI's linux.resources as JSON, its names checked
};

/// POST /v1/containers/{id}/resize. Allowed until it has ended, if it has a terminal.
struct ResizeAction {
    std::string container;
    std::uint16_t rows = 0, columns = 0;
    std::string exec;  // empty: the container's own terminal, not an exec's
};

/// POST /v1/containers/{id}/stop: SIGTERM, then SIGKILL to the whole container after `timeout`. One
/// that is paused goes on, so as to hear it.
struct StopContainerAction {
    std::string container;
    std::chrono::milliseconds timeout{10'000};
};

/// What the engine knows of a sandbox, for answers. Made at the moment of the question.
struct SandboxView {
    core::SandboxFacts facts;
    CreateSandboxAction request;
    std::vector<std::string> containers;
    std::uint64_t resource_version = 0;  // seq of its last event
    std::string problem;                 // why its state is or was unknown
};
struct ContainerView {
    core::ContainerFacts facts;
    CreateContainerAction request;
    std::uint64_t resource_version = 0;
    std::string problem;  // as the sandbox's
};

/// A container that an engine made through covey-runtime: shown, never owned.
struct EngineContainerView {
    core::EngineContainer facts;
    core::EngineContainerNow now;
    std::uint64_t resource_version = 0;
};

/// GET /v1/processes: one of the three numbers; the pod's means nothing without its sandbox.
struct ProcessQuery {
    std::optional<pid_t> pid, pod_pid;
    std::optional<std::uint64_t> pidfd_inode;
    std::optional<std::string> sandbox;
};
struct ProcessView {
    core::PodProcess process;
    std::string sandbox;  // of an engine's container: the engine's pod, or empty
    std::string engine;   // "covey"
};

/// GET /v1/sandboxes/{id}/access: one ordered pair.
struct AccessView {
    std::string from, to;
    std::array<core::Verdict, core::kActions.size()> verdicts;  // in the order of kActions
};

/// One line of GET /v1/events.
struct EventRecord {
    std::uint64_t seq = 0;
    std::int64_t time = 0;  // Unix microseconds
    std::string type;       // sandbox.created|ready|stopped|deleted,
                            // container.created|started|paused|resumed|exited|deleted,
                            // exec.started|exited, engine.created|started|exited|deleted
    std::string sandbox, container, exec;
    std::string engine, root;  // of engine.*: who made it, and where its state is
    std::optional<core::ExitRecord> exit;
    pid_t pid = 0, pod_pid = 0;
};

/// One line of covey doctor and GET /v1/info.
struct HostCheck {
    enum class Status { ok, warning, failure };
    std::string name;  // "cgroup.v2"
    Status status = Status::ok;
    std::string detail, fix;
};

}  // namespace covey::daemon
