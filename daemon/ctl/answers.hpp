// What coveyd answers, as far as the command shows it. answers_codec.cpp makes these from JSON
// (proto/openapi.yaml); fields that are missing or unknown are no error, so that a command and a
// daemon of different versions understand each other. Thread rule: values.
#pragma once

#include "covey/error.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::ctl {

struct NamespaceAnswer {
    std::string path;
    std::uint64_t inode = 0;
};

struct SandboxAnswer {
    std::string id, state, hostname, pid_mode, access, cgroup, created_at;
    std::int64_t pid = 0;
    std::map<std::string, NamespaceAnswer> namespaces;
    std::vector<std::string> containers, warnings;
    std::map<std::string, std::string> labels;
};

struct ExitAnswer {
    int exit_code = 0;
    std::string signal, sent_by;
    bool oom_killed = false;
    std::string reason;
};

/// Of a container that `covey debug` made.
struct DebugAnswer {
    std::string target;  // empty: the whole pod
    std::string expires_at;
};

struct ContainerAnswer {
    std::string id, sandbox, state, pid_mode, access, bundle, created_at, started_at, paused_at,
        engine;
    std::int64_t pid = 0, pod_pid = 0;
    std::vector<std::string> command, warnings;
    std::optional<ExitAnswer> exit;
    std::optional<DebugAnswer> debug;
};

struct VerdictAnswer {
    bool allowed = false;
    std::vector<std::string> because, changes;
    std::string note;
};
struct AccessAnswer {
    std::string from, to;
    VerdictAnswer see, signal, read_root, ptrace;
};

struct ProcessAnswer {
    std::int64_t pid = 0, pod_pid = 0, container_pid = 0, ppid = 0;
    std::string container, exec, state, name, sandbox;
    std::uint32_t uid = 0, gid = 0;
    std::uint64_t rss_bytes = 0, start_time = 0, cpu_milliseconds = 0;
    bool zombie = false, orphan = false;
    std::vector<std::string> command, capabilities;
};

struct EventAnswer {
    std::uint64_t seq = 0;
    std::string time, type, sandbox, container, exec, engine;
    std::int64_t pid = 0, pod_pid = 0;
    std::optional<ExitAnswer> exit;
    /// Of the line that ends a stream which cannot go on.
    std::optional<Error> problem;
};

struct VersionAnswer {
    std::string version, api_version, oci_version;
    std::vector<std::string> features;
};

struct CheckAnswer {
    std::string name, status, detail, fix;
};
struct InfoAnswer {
    std::string kernel, cgroup_layout;
    std::vector<CheckAnswer> checks;
};

// Each throws Code::internal when the text is no JSON of the right kind.
[[nodiscard]] SandboxAnswer decode_sandbox(std::string_view json);
[[nodiscard]] std::vector<SandboxAnswer> decode_sandboxes(std::string_view json);
[[nodiscard]] ContainerAnswer decode_container(std::string_view json);
[[nodiscard]] std::vector<ContainerAnswer> decode_containers(std::string_view json);
[[nodiscard]] std::vector<ProcessAnswer> decode_processes(std::string_view json);
[[nodiscard]] ProcessAnswer decode_process(std::string_view json);
[[nodiscard]] std::vector<AccessAnswer> decode_access(std::string_view json);
[[nodiscard]] ExitAnswer decode_exit(std::string_view json);
[[nodiscard]] EventAnswer decode_event(std::string_view json);
[[nodiscard]] VersionAnswer decode_version(std::string_view json);
[[nodiscard]] InfoAnswer decode_info(std::string_view json);

/// An RFC 9457 problem as the error it was. What is none becomes Code::internal with the HTTP
/// status.
[[nodiscard]] Error decode_problem(int status, std::string_view json);

/// The same JSON, indented by two; text that is no JSON as it is.
[[nodiscard]] std::string pretty_json(std::string_view json);

}  // namespace covey::ctl
