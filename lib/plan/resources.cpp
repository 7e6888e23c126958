// linux.resources → cgroup limits and device rules.
#include "plan/resources.hpp"

#include "plan/sections.hpp"

#include <fmt/format.h>

namespace covey::plan {
namespace {

class Reading {
  public:
    explicit Reading(LimitsFor purpose) : is_new_(purpose == LimitsFor::new_group) {}

    void memory(const spec::MemoryLimits& memory);
    void cpu(const spec::CpuLimits& cpu);
    void block_io(const spec::BlockIoLimits& io);
    void network(const spec::NetworkLimits& network);
    void rest(const spec::Resources& resources);
    ResourceLimits out;

  private:
    /// Each limit that is set costs the container of a hybrid host a v1 controller to join, so what
    /// asks for nothing must not be set.
    template <typename T>
    [[nodiscard]] std::optional<T> limit(std::optional<T> value) const {
        if (value == T{0} || (is_new_ && value == static_cast<T>(-1))) return std::nullopt;
        return value;
    }
    /// A value of which 0 is the default of a new group, and can be gone back to.
    template <typename T>
    [[nodiscard]] std::optional<T> unless_default(std::optional<T> value) const {
        if (is_new_ && value == T{0}) return std::nullopt;
        return value;
    }

    bool is_new_;
};

void Reading::memory(const spec::MemoryLimits& memory) {
    auto& limits = out.limits;
    limits.memory_max = limit(memory.limit);
    limits.memory_reservation = limit(memory.reservation);
    limits.memory_swap = limit(memory.swap);
    limits.memory_kernel_tcp = limit(memory.kernel_tcp);
    limits.memory_swappiness = memory.swappiness;
    limits.oom_killer_off = unless_default(memory.disable_oom_killer);
    // At a create nothing is used yet.
    limits.check_usage = !is_new_ && memory.check_before_update.value_or(false);
    if (limit(memory.kernel))
        out.warnings.emplace_back(
            "linux.resources.memory: kernel is not applied: Linux has removed it");
    if (!memory.use_hierarchy.value_or(true))
        out.problems.push_back({"/linux/resources/memory/useHierarchy",
                                "false cannot be had: since Linux 5.11 every memory cgroup counts "
                                "the groups below it; leave it out"});
}

void Reading::cpu(const spec::CpuLimits& cpu) {
    auto& limits = out.limits;
    limits.cpu_shares = limit(cpu.shares);
    limits.cpu_quota = limit(cpu.quota);
    limits.cpu_period = limit(cpu.period);
    limits.cpu_burst = unless_default(cpu.burst);
    limits.cpu_idle = unless_default(cpu.idle);
    limits.realtime_period = limit(cpu.realtime_period);
    limits.realtime_runtime = limit(cpu.realtime_runtime);
    if (!cpu.cpus.empty()) limits.cpuset_cpus = cpu.cpus;
    if (!cpu.mems.empty()) limits.cpuset_mems = cpu.mems;
}

void Reading::block_io(const spec::BlockIoLimits& io) {
    auto& limits = out.limits.io;
    limits.weight = limit(io.weight);
    limits.leaf_weight = limit(io.leaf_weight);
    for (const auto& device : io.weight_device) {
        const auto weight = limit(device.weight), leaf = limit(device.leaf_weight);
        if (weight || leaf) limits.devices.push_back({device.major, device.minor, weight, leaf});
    }
    const auto rates = [&](const std::vector<spec::ThrottleDevice>& from,
                           std::vector<cgroup::DeviceRate>& to) {
        for (const auto& device : from)
            if (!is_new_ || device.rate != 0)
                to.push_back({device.major, device.minor, device.rate});
    };
    rates(io.throttle_read_bps, limits.read_bps);
    rates(io.throttle_write_bps, limits.write_bps);
    rates(io.throttle_read_iops, limits.read_iops);
    rates(io.throttle_write_iops, limits.write_iops);
}

void Reading::network(const spec::NetworkLimits& network) {
    out.limits.network_class = unless_default(network.class_id);
    for (const auto& [interface, priority] : network.priorities)
        out.limits.network_priorities[interface] = priority;
}

void Reading::rest(const spec::Resources& resources) {
    auto& limits = out.limits;
    // No process beside the first, which is there: 1 says the same, and systemd takes no 0.
    if (const auto most = resources.pids_limit; most && !(is_new_ && *most < 0))
        limits.pids_max = *most == 0 ? 1 : *most;
    for (const auto& [size, bytes] : resources.hugepage_limits)
        limits.hugepages[size] = bytes;
    for (const auto& [device, limit] : resources.rdma)
        limits.rdma[device] = {limit.hca_handles, limit.hca_objects};
    for (const auto& [name, value] : resources.unified) {
        // A name is a file of the cgroup's own folder and of a controller: "cgroup.procs" would
        // move processes, a slash would leave the folder.
        const bool valid = name.find('.') != name.npos && name.find('/') == name.npos &&
                           !name.starts_with('.') && !name.starts_with("cgroup.");
        if (valid)
            limits.unified[name] = value;
        else
            out.problems.push_back({fmt::format("/linux/resources/unified/{}", pointer_key(name)),
                                    "must be a file of a cgroup v2 controller, as in memory.high"});
    }
}

}  // namespace

ResourceLimits limits_of(const spec::Resources& resources, LimitsFor purpose) {
    Reading reading{purpose};
    if (resources.memory) reading.memory(*resources.memory);
    if (resources.cpu) reading.cpu(*resources.cpu);
    if (resources.block_io) reading.block_io(*resources.block_io);
    if (resources.network) reading.network(*resources.network);
    reading.rest(resources);
    return std::move(reading.out);
}

void compile_resources(Sections& s) {
    if (s.request.namespaces == NamespaceRule::sandbox && !s.spec.linux.cgroups_path.empty())
        s.warn(
            fmt::format("cgroupsPath '{}' is not applied: the container's cgroup is below its "
                        "sandbox's",
                        s.spec.linux.cgroups_path));
    const auto& resources = s.spec.linux.resources;
    if (!resources) return;
    // The spec's own; lib/cgroup puts them between "deny all" and the default devices.
    for (const auto& rule : resources->devices)
        s.plan.device_rules.push_back({rule.allow, rule.type, rule.major, rule.minor, rule.access});
    auto read = limits_of(*resources, LimitsFor::new_group);
    s.plan.limits = std::move(read.limits);
    for (auto& warning : read.warnings)
        s.warn(std::move(warning));
    for (auto& problem : read.problems)
        s.problems.push_back(std::move(problem));
}

}  // namespace covey::plan
