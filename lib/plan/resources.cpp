// linux.resources → cgroup limits and device rules.
#include "plan/sections.hpp"

#include <fmt/format.h>

namespace covey::plan {
namespace {

/// A new cgroup has no limits, so -1 ("no limit") and 0 (what engines write for "not set") ask for
/// nothing; on a hybrid host each limit that is set costs the container a v1 controller to join.
template <typename T>
std::optional<T> limit_or_nothing(std::optional<T> value) {
    if (value == T{0} || value == static_cast<T>(-1)) return std::nullopt;
    return value;
}

void memory(Sections& s, const spec::MemoryLimits& memory) {
    auto& limits = s.plan.limits;
    limits.memory_max = limit_or_nothing(memory.limit);
    limits.memory_reservation = limit_or_nothing(memory.reservation);
    limits.memory_swap = limit_or_nothing(memory.swap);
    if (memory.kernel || memory.kernel_tcp)
        s.warn(
            "linux.resources.memory: kernel and kernelTCP are not applied: Linux has removed them");
    if (memory.swappiness) s.refuse("/linux/resources/memory/swappiness", "swappiness");
    if (memory.disable_oom_killer.value_or(false))
        s.refuse("/linux/resources/memory/disableOOMKiller", "disabling the OOM killer");
    // true is what every kernel does since 5.11; checkBeforeUpdate is about an update, where the
    // usage can be above the limit, which it cannot at a create.
    if (!memory.use_hierarchy.value_or(true))
        s.refuse("/linux/resources/memory/useHierarchy", "a memory cgroup without hierarchy");
}

void cpu(Sections& s, const spec::CpuLimits& cpu) {
    auto& limits = s.plan.limits;
    limits.cpu_shares = limit_or_nothing(cpu.shares);
    limits.cpu_quota = limit_or_nothing(cpu.quota);
    limits.cpu_period = limit_or_nothing(cpu.period);
    if (!cpu.cpus.empty()) limits.cpuset_cpus = cpu.cpus;
    if (!cpu.mems.empty()) limits.cpuset_mems = cpu.mems;
    const std::string at = "/linux/resources/cpu/";
    if (cpu.realtime_period.value_or(0) != 0) s.refuse(at + "realtimePeriod", "real-time CPU time");
    if (cpu.realtime_runtime.value_or(0) != 0)
        s.refuse(at + "realtimeRuntime", "real-time CPU time");
    if (cpu.idle.value_or(0) != 0) s.refuse(at + "idle", "idle CPU scheduling");
    if (cpu.burst.value_or(0) != 0) s.refuse(at + "burst", "CPU burst");
}

bool asks_for_something(const spec::BlockIoLimits& io) {
    return io.weight.value_or(0) != 0 || io.leaf_weight.value_or(0) != 0 ||
           !io.weight_device.empty() || !io.throttle_read_bps.empty() ||
           !io.throttle_write_bps.empty() || !io.throttle_read_iops.empty() ||
           !io.throttle_write_iops.empty();
}

void unified(Sections& s, const std::map<std::string, std::string>& files) {
    for (const auto& [name, value] : files) {
        // A name is a file of the cgroup's own folder and of a controller: "cgroup.procs" would
        // move processes, a slash would leave the folder.
        const bool valid = name.find('.') != name.npos && name.find('/') == name.npos &&
                           !name.starts_with('.') && !name.starts_with("cgroup.");
        if (!valid) {
            s.problem(fmt::format("/linux/resources/unified/{}", pointer_key(name)),
                      "must be a file of a cgroup v2 controller, as in memory.high");
            continue;
        }
        s.plan.limits.unified[name] = value;
    }
}

/// The spec's own; lib/cgroup puts them between "deny all" and the default devices.
void device_rules(Sections& s, const std::vector<spec::DeviceCgroup>& rules) {
    for (const auto& rule : rules)
        s.plan.device_rules.push_back({rule.allow, rule.type, rule.major, rule.minor, rule.access});
}

}  // namespace

void compile_resources(Sections& s) {
    if (!s.spec.linux.cgroups_path.empty())
        s.warn(
            fmt::format("cgroupsPath '{}' is not applied: the container's cgroup is below its "
                        "sandbox's",
                        s.spec.linux.cgroups_path));
    const auto& resources = s.spec.linux.resources;
    if (!resources) return;
    device_rules(s, resources->devices);
    s.plan.limits.pids_max = limit_or_nothing(resources->pids_limit);
    if (resources->memory) memory(s, *resources->memory);
    if (resources->cpu) cpu(s, *resources->cpu);
    unified(s, resources->unified);
    if (resources->block_io && asks_for_something(*resources->block_io))
        s.refuse("/linux/resources/blockIO", "block I/O control");
    if (!resources->hugepage_limits.empty())
        s.refuse("/linux/resources/hugepageLimits", "a huge page limit");
    if (resources->network &&
        (resources->network->class_id || !resources->network->priorities.empty()))
        s.refuse("/linux/resources/network", "network classification");
    if (!resources->rdma.empty()) s.refuse("/linux/resources/rdma", "an RDMA limit");
}

}  // namespace covey::plan
