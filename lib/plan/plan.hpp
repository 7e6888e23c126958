// LaunchPlan: all that will happen at a launch, as data. lib/plan compiles it from a spec, the
// sandbox and the request; lib/launch interprets it. The hard part (what the spec means) is
// therefore tested without privileges, printed by --dump-plan and compared as golden files. Thread
// rule: values. Compiling does not block and needs no privilege.
#pragma once

#include "cgroup/limits.hpp"
#include "plan/operations.hpp"
#include "plan/scheduling_plan.hpp"
#include "spec/access.hpp"
#include "spec/tables.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace covey::plan {

/// Capability masks, one bit a number. Inheritable and ambient are empty unless asked for.
struct CapabilitySets {
    std::uint64_t bounding = 0, permitted = 0, effective = 0, inheritable = 0, ambient = 0;
};

struct ResourceLimit {
    int resource = 0;  // RLIMIT_*
    std::uint64_t soft = 0, hard = 0;
};

/// A seccomp filter ready for seccomp(2): `filter` is an array of struct sock_filter.
struct SeccompFilter {
    std::vector<std::uint64_t> filter;
    std::uint32_t flags = 0;  // SECCOMP_FILTER_FLAG_*
    /// The agent's socket and what it is told besides the state; empty: the filter asks nobody.
    std::string listener_path, listener_metadata;
};

/// Everything about one process: the same for a container's init and for an exec.
struct ProcessPlan {
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::string cwd = "/";
    bool terminal = false;
    std::uint16_t console_rows = 0, console_columns = 0;

    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    mode_t umask = 0022;
    CapabilitySets capabilities;
    bool no_new_privileges = false;
    std::vector<ResourceLimit> rlimits;
    std::optional<int> oom_score_adj;
    /// It lives in a user namespace of its own, where setgroups(2) may be forbidden for ever.
    bool user_namespace = false;
    std::optional<SchedulerPlan> scheduler;
    std::optional<int> io_priority;  // as ioprio_set(2) takes it
    /// Of an exec alone: before it is in the container's group, and after.
    std::vector<unsigned> initial_cpus, final_cpus;
    std::optional<unsigned long> personality;
    std::optional<MemoryPolicyPlan> memory_policy;
    std::string apparmor_profile, selinux_label;
    /// Loaded last when no_new_privileges is set; otherwise it needs CAP_SYS_ADMIN and is loaded
    /// just before the privileges are cut (the calls that remain are listed in docs/LAUNCH.md); one
    /// that asks an agent is loaded right after the cut at the latest.
    std::optional<SeccompFilter> seccomp;
    /// Covey's own (own_filters.hpp), loaded before it is cut.
    std::vector<SeccompFilter> own_filters;
};

/// Where one namespace of the container comes from.
struct NamespacePlan {
    enum class Source {
        inherit,  // stay in the launcher's (the host's)
        create,   // a new one
        sandbox,  // the pod's
        path,     // the nsfs file at `path`
    };
    spec::NamespaceType type = spec::NamespaceType::mount;
    Source source = Source::inherit;
    std::string path;
};

/// timens_offsets: "monotonic" or "boottime".
struct TimeOffset {
    std::string clock;
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
};

struct RootPlan {
    std::string host_path;  // absolute
    /// MS_* propagation of the root at the end; 0 leaves it a recursive slave of the host.
    std::uint64_t propagation = 0;
    bool propagation_recursive = false;
};

struct LaunchPlan {
    /// node: the caller's PID namespace; container: a new one, with nobody else in it; pod: one
    /// that others are in already (the sandbox's, or the one of a path); nested: a new one inside
    /// such a one; target: another container's.
    spec::PidMode pid_mode = spec::PidMode::container;
    std::vector<NamespacePlan> namespaces;  // one for each type that the container does not inherit
    /// Entries of the spec that must be the sandbox's own namespace: checked by (device, inode).
    std::vector<NamespacePlan> must_match_sandbox;
    /// Of a new user namespace; of one that is joined they must be the ones that it has; of the
    /// sandbox's the ones that it has.
    std::vector<spec::IdMapping> uid_mappings, gid_mappings;
    std::vector<TimeOffset> time_offsets;  // of a new time namespace

    RootPlan root;
    /// In the spec's order: mounts, then devices, links and the terminal.
    std::vector<Operation> operations;
    /// Masked and read-only paths, and the read-only root: after the creation hooks, which may
    /// still write into the root and mount there. Their numbers in errors go on from `operations`.
    std::vector<Operation> protections;
    std::optional<std::string> hostname, domainname;
    /// The filesystems that the plan mounts have this SELinux label.
    std::string mount_label;
    /// Key as the spec writes it → value; only of namespaces that the plan creates or joins.
    std::vector<std::pair<std::string, std::string>> sysctls;

    cgroup::Limits limits;
    std::vector<cgroup::DeviceRule> device_rules;  // the spec's; cgroup adds the default ones

    ProcessPlan process;
    /// What the spec asked for and does not get, and why: shown in the API's answer.
    std::vector<std::string> warnings;
};

/// The path in the container that the operation is about, cleaned.
[[nodiscard]] std::string_view target_of(const Operation& operation);
/// It mounts a procfs, or its target lies on one: it has to wait for the PID namespace.
[[nodiscard]] bool lies_on_proc(const LaunchPlan& plan, const Operation& operation);

/// What a plan must know of the pod.
struct SandboxView {
    /// The pod has its own (new or joined by path) namespace of that type; else it is the host's.
    bool has_net = true, has_ipc = true, has_uts = true, has_time = false;
    /// It is in a user namespace, to which all of these belong, with these maps.
    bool has_user = false;
    std::vector<spec::IdMapping> uid_mappings = {}, gid_mappings = {};
};

/// Who decides a container's namespaces.
enum class NamespaceRule {
    /// The sandbox its net, ipc, uts, user and time, `pid_mode` the PID namespace (the API).
    sandbox,
    /// linux.namespaces alone, entry by entry: absent is the caller's, no path is a new one, a path
    /// is joined. `pid_mode` and `sandbox` of the request are not looked at (covey-runtime).
    spec,
};

/// What the caller asked for besides the bundle.
struct LaunchRequest {
    std::string bundle;  // absolute host folder; relative root.path is below it
    spec::PidMode pid_mode = spec::PidMode::container;
    std::uint64_t add_capabilities = 0, drop_capabilities = 0;
    SandboxView sandbox;
    NamespaceRule namespaces = NamespaceRule::sandbox;
    /// With NamespaceRule::spec: the PID namespace that the spec names by path is nested in, not
    /// joined.
    bool nests = false;
    /// What the container may do to its neighbours' processes.
    spec::Access access;
    /// In pid mode pod: signals to number 1 are told to the parent, who sends them on.
    spec::Pid1Signals pid1_signals = spec::Pid1Signals::ignore;
    /// The root of another container is to be seen at kShownRoot.
    bool shows_root = false;
};
inline constexpr const char* kShownRoot = "/target";

/// What an exec may change against the container's own process.
struct ExecRequest {
    std::vector<std::string> args;
    std::vector<std::string> env;  // added to the container's, later entries win
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
    std::optional<std::string> cwd;
    bool terminal = false;
    std::uint16_t console_rows = 0, console_columns = 0;
    std::uint64_t add_capabilities = 0;
};

}  // namespace covey::plan
