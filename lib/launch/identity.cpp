#include "launch/identity.hpp"

#include "base/fault.hpp"
#include "covey/error.hpp"
#include "launch/seccomp_agent.hpp"
#include "spec/tables.hpp"
#include "sys/file.hpp"
#include "sys/privileges.hpp"
#include "sys/scheduling.hpp"

#include <fmt/format.h>

#include <cerrno>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace covey::launch {
namespace {

std::string limit_text(std::uint64_t value) {
    return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

void set_limits(const plan::ProcessPlan& process) {
    for (const auto& limit : process.rlimits) {
        const auto set = sys::set_limit(limit.resource, limit.soft, limit.hard);
        if (set) continue;
        const auto name = spec::rlimit_name(limit.resource);
        const auto now = sys::get_limit(limit.resource).value_or({0, 0});
        auto error = Error::from_errno(
            set.error(), "set limit",
            fmt::format("{} to {}:{}", name, limit_text(limit.soft), limit_text(limit.hard)));
        if (set.error() == EPERM)
            error.set_fix(fmt::format(
                "the hard limit here is {} and raising it needs CAP_SYS_RESOURCE: lower {} in "
                "process.rlimits, or raise the limit that Covey runs with",
                limit_text(now.second), name));
        throw error;
    }
}

void set_groups(const plan::ProcessPlan& process) {
    const auto set = sys::set_groups(process.groups);
    // A user namespace may have setgroups(2) forbidden; the launcher dropped its groups before it
    // entered, if anybody could.
    const bool forbidden = !set && set.error() == EPERM && process.user_namespace;
    if (forbidden && process.groups.empty()) return;
    if (forbidden)
        throw Error(Code::permission_denied, "set additional groups: the user namespace forbids it")
            .with_fix(
                "remove process.user.additionalGids, or map the groups with newgidmap or as root");
    set.or_throw("set", "additional groups");
}

/// user_namespaces(7): the kernel says EINVAL of a number that the namespace does not have.
void check_mapped(const Result<void>& set, const char* kind, std::uint32_t id) {
    if (!set && set.error() == EINVAL)
        throw Error(Code::invalid_spec,
                    fmt::format("set {} {}: it has no mapping in the user namespace", kind, id))
            .with_fix(fmt::format("map it (linux.{0}Mappings), or name a mapped {0} in "
                                  "process.user",
                                  kind));
    set.or_throw(fmt::format("set {}", kind), std::to_string(id));
}

void set_ids(const plan::ProcessPlan& process) {
    set_groups(process);
    check_mapped(sys::set_gid(process.gid), "gid", process.gid);
    if (process.uid != 0) sys::keep_capabilities_over_set_uid().or_throw("set", "keepcaps");
    check_mapped(sys::set_uid(process.uid), "uid", process.uid);
}

sys::CapabilityMasks wanted_masks(const plan::CapabilitySets& sets) {
    // What this kernel does not know cannot be held; the spec may name it all the same.
    const auto known = (std::uint64_t{2} << static_cast<unsigned>(sys::last_capability())) - 1;
    return {sets.effective & known, sets.permitted & known, sets.inheritable & known};
}

void set_capabilities(const plan::CapabilitySets& sets) {
    const auto wanted = wanted_masks(sets);
    const auto set = sys::set_capabilities(wanted);
    if (!set) {
        const auto missing = wanted.permitted & ~sys::get_capabilities().value_or({}).permitted;
        auto error = Error::from_errno(set.error(), "set", "capabilities");
        if (missing != 0)
            error.set_fix(fmt::format(
                "Covey itself does not hold {}: drop it from the container, or run it with "
                "the capability",
                spec::capability_names_of(missing).front()));
        throw error;
    }
    if (sets.ambient != 0)
        sys::raise_ambient(sets.ambient).or_throw("raise", "ambient capabilities");
}

/// A security setting is never assumed to have taken effect.
void verify(const plan::ProcessPlan& process) {
    const auto masks = sys::get_capabilities().or_throw("read back", "capabilities");
    const auto bounding = sys::get_bounding_set().or_throw("read back", "bounding set");
    if (masks != wanted_masks(process.capabilities) ||
        (bounding & ~process.capabilities.bounding) != 0)
        throw Error(Code::internal, "capabilities read back differ from the plan's");
    if (::getuid() != process.uid || ::geteuid() != process.uid || ::getgid() != process.gid ||
        ::getegid() != process.gid)
        throw Error(Code::internal, "ids read back differ from the plan's");
}

}  // namespace

namespace {

void set_oom_score(const plan::ProcessPlan& process) {
    if (!process.oom_score_adj) return;
    const auto text = std::to_string(*process.oom_score_adj);
    if (const auto set = sys::write_existing("/proc/self/oom_score_adj", text); !set)
        throw Error::from_errno(set.error(), "set oom_score_adj to", text)
            .with_fix("lowering it needs CAP_SYS_RESOURCE: leave process.oomScoreAdj out");
}

/// setrlimit(2): raising a hard limit takes CAP_SYS_RESOURCE of the first user namespace.
void raise_limits(const plan::ProcessPlan& process) {
    for (const auto& limit : process.rlimits) {
        const auto now = sys::get_limit(limit.resource).or_throw("read", "limit");
        // What cannot be raised is told where all limits are set.
        if (limit.hard > now.second) (void)sys::set_limit(limit.resource, now.first, limit.hard);
    }
}

void set_scheduler(const plan::SchedulerPlan& wanted) {
    const auto set = sys::set_scheduling({wanted.policy, wanted.flags, wanted.nice, wanted.priority,
                                          wanted.runtime, wanted.deadline, wanted.period});
    if (set) return;
    auto error =
        Error::from_errno(set.error(), "set scheduler", fmt::format("policy {}", wanted.policy));
    if (set.error() == EPERM)
        error.set_fix(
            "it needs CAP_SYS_NICE, for SCHED_DEADLINE all CPUs, and with v1 cgroups a real-time "
            "budget (cpu.rt_runtime_us) in the container's group");
    throw error;
}

}  // namespace

namespace {

/// In the container's group: its cpuset says which nodes there are.
void set_memory_policy(const plan::MemoryPolicyPlan& wanted) {
    const auto set = sys::set_memory_policy(wanted.mode, wanted.nodes);
    if (set) return;
    throw Error::from_errno(set.error(), "set memory policy", wanted.text)
        .with_fix(
            "linux.memoryPolicy must name nodes that are there (/sys/devices/system/node/online) "
            "and in the container's cpuset, a mode that this kernel has, and no nodes with "
            "MPOL_DEFAULT and MPOL_LOCAL");
}

}  // namespace

void set_own_scheduler(const plan::ProcessPlan& process) {
    if (process.scheduler && !process.scheduler->is_inherited) set_scheduler(*process.scheduler);
}

void set_cpus(const std::vector<unsigned>& cpus) {
    if (cpus.empty()) return;
    if (const auto set = sys::set_cpu_affinity(cpus); !set)
        throw Error::from_errno(set.error(), "set CPU affinity")
            .with_fix("process.execCPUAffinity must name a CPU that is there and in the cpuset");
}

void use_host_privileges(const plan::ProcessPlan& process) {
    set_oom_score(process);
    if (process.scheduler && process.scheduler->is_inherited) set_scheduler(*process.scheduler);
    if (process.io_priority)
        if (const auto set = sys::set_io_priority(*process.io_priority); !set)
            throw Error::from_errno(set.error(), "set I/O priority")
                .with_fix("IOPRIO_CLASS_RT needs CAP_SYS_NICE or CAP_SYS_ADMIN on the host");
    if (process.user_namespace) raise_limits(process);
}

bool is_filtered_early(const plan::ProcessPlan& process) {
    return process.seccomp && !process.no_new_privileges;
}

void cut_privileges(const plan::ProcessPlan& process, FdRef channel) {
    fault_point("launch.cut");
    if (process.memory_policy) set_memory_policy(*process.memory_policy);
    if (process.personality)
        sys::set_personality(*process.personality).or_throw("set", "personality");
    set_limits(process);
    sys::clear_ambient_set().or_throw("clear", "ambient capabilities");
    // What other runtimes do not call behind the filter is done before it: there are profiles that
    // allow them just enough (docs/LAUNCH.md has what is left).
    ::umask(process.umask);
    // Without no_new_privs loading a filter takes CAP_SYS_ADMIN, so it must come before the cut.
    for (const auto& filter : process.own_filters)
        load_filter(filter, channel);
    if (is_filtered_early(process)) load_filter(*process.seccomp, channel);
    sys::limit_bounding_set(process.capabilities.bounding)
        .or_throw("drop", "bounding capabilities");
    set_ids(process);
    set_capabilities(process.capabilities);
    if (process.no_new_privileges) sys::set_no_new_privs().or_throw("set", "no_new_privs");
    verify(process);
}

}  // namespace covey::launch
