// The Linux part of the OCI runtime specification 1.3 as types: what config.json says, nothing
// more. Names follow the specification (camelCase there, snake_case here). "Absent" is
// std::optional only where absence means something else than empty. Filled by spec/parse, checked
// by spec/validate, read by lib/plan. Thread rule: values. Do not block.
#pragma once

#include "spec/linux_types.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::spec {

struct Root {
    std::string path;
    bool readonly = false;
};

/// config.md#mounts. `options` are kept as written; lib/plan gives them their meaning.
struct Mount {
    std::string destination;
    std::string type;
    std::string source;
    std::vector<std::string> options;
    std::vector<IdMapping> uid_mappings, gid_mappings;
};

struct User {
    uid_t uid = 0;
    gid_t gid = 0;
    std::optional<std::uint32_t> umask;
    std::vector<gid_t> additional_gids;
};

struct ConsoleSize {
    std::uint16_t height = 0, width = 0;
};

/// One bit for each capability number (capability.h); names are resolved by the parser.
struct Capabilities {
    std::uint64_t bounding = 0, effective = 0, inheritable = 0, permitted = 0, ambient = 0;
};

struct Rlimit {
    int resource = 0;  // RLIMIT_*
    std::uint64_t soft = 0, hard = 0;
};

struct Scheduler {
    std::string policy;  // SCHED_*
    std::int32_t nice = 0, priority = 0;
    std::vector<std::string> flags;
    std::uint64_t runtime = 0, deadline = 0, period = 0;  // nanoseconds
};

struct IoPriority {
    std::string io_class;  // IOPRIO_CLASS_*
    std::int32_t priority = 0;
};

struct ExecCpuAffinity {
    std::string initial, final;
};

struct Process {
    bool terminal = false;
    std::optional<ConsoleSize> console_size;
    std::string cwd;
    std::vector<std::string> env;
    std::vector<std::string> args;
    std::vector<Rlimit> rlimits;
    /// Absent: no capabilities at all.
    std::optional<Capabilities> capabilities;
    bool no_new_privileges = false;
    std::optional<std::int32_t> oom_score_adj;
    User user;
    std::string apparmor_profile, selinux_label;
    std::optional<Scheduler> scheduler;
    std::optional<IoPriority> io_priority;
    std::optional<ExecCpuAffinity> exec_cpu_affinity;
};

struct Hook {
    std::string path;
    std::vector<std::string> args, env;
    std::optional<std::int32_t> timeout;  // seconds
};

struct Hooks {
    std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart,
        poststop;
    [[nodiscard]] bool empty() const noexcept {
        return prestart.empty() && create_runtime.empty() && create_container.empty() &&
               start_container.empty() && poststart.empty() && poststop.empty();
    }
};

struct Spec {
    std::string oci_version;
    std::optional<Root> root;
    std::vector<Mount> mounts;
    std::optional<Process> process;
    std::string hostname, domainname;
    Hooks hooks;
    std::map<std::string, std::string> annotations;
    Linux linux;
};

}  // namespace covey::spec
