// The v1 dialect: Documentation/admin-guide/cgroup-v1/.
#include "base/text.hpp"
#include "cgroup/settings.hpp"
#include "cgroup/tree.hpp"
#include "sys/file.hpp"

#include <array>

namespace covey::cgroup {
namespace {

std::vector<Setting> v1_memory(const Limits& limits, const Reader& current) {
    std::vector<Setting> settings;
    std::optional<std::int64_t> swap = limits.memory_swap;
    if (!swap && limits.memory_max && *limits.memory_max < 0) swap = -1;
    const auto limit_setting = [&] {
        if (limits.memory_max)
            settings.push_back(
                {"memory.limit_in_bytes", std::to_string(*limits.memory_max), "memory.limit"});
    };
    const auto swap_setting = [&] {
        if (swap)
            settings.push_back({"memory.memsw.limit_in_bytes", std::to_string(*swap), "memory.swap",
                                *swap < 0 || swap == limits.memory_max});
    };
    // The kernel holds memory ≤ memory + swap at every moment: raise the sum first, lower it last.
    const auto now = current("memory.memsw.limit_in_bytes");
    const auto sum = now ? parse_u64(*now) : std::nullopt;
    const bool raises = swap && (*swap < 0 || (sum && static_cast<std::uint64_t>(*swap) > *sum));
    if (raises) swap_setting();
    limit_setting();
    if (!raises) swap_setting();
    if (limits.memory_reservation)
        settings.push_back({"memory.soft_limit_in_bytes",
                            std::to_string(*limits.memory_reservation), "memory.reservation"});
    if (limits.memory_kernel_tcp)
        settings.push_back({"memory.kmem.tcp.limit_in_bytes",
                            std::to_string(*limits.memory_kernel_tcp), "memory.kernelTCP",
                            *limits.memory_kernel_tcp < 0});
    if (limits.memory_swappiness)
        settings.push_back(
            {"memory.swappiness", std::to_string(*limits.memory_swappiness), "memory.swappiness"});
    // "oom_kill_disable 0" in what is there; false is what each engine sends, so it must cost
    // nothing where it is so already.
    if (limits.oom_killer_off) {
        const auto oom = current("memory.oom_control").value_or("");
        const bool is_off = keyed_number(oom, "oom_kill_disable") == 1U;
        if (*limits.oom_killer_off != is_off)
            settings.push_back({"memory.oom_control", *limits.oom_killer_off ? "1" : "0",
                                "memory.disableOOMKiller"});
    }
    return settings;
}

std::vector<Setting> v1_cpu(const Limits& limits) {
    std::vector<Setting> settings;
    // A group that is idle has no shares, and keeps none: idle goes first when it is switched off,
    // last when it is switched on.
    const auto idle = [&](std::int64_t value) {
        if (limits.cpu_idle == value)
            settings.push_back({"cpu.idle", std::to_string(value), "cpu.idle", value == 0});
    };
    idle(0);
    if (limits.cpu_shares && *limits.cpu_shares != 0)
        settings.push_back({"cpu.shares", std::to_string(*limits.cpu_shares), "cpu.shares"});
    if (limits.cpu_burst)
        settings.push_back({"cpu.cfs_burst_us", std::to_string(*limits.cpu_burst), "cpu.burst",
                            *limits.cpu_burst == 0, true});
    if (limits.cpu_period && *limits.cpu_period != 0)
        settings.push_back({"cpu.cfs_period_us", std::to_string(*limits.cpu_period), "cpu.period",
                            false, limits.cpu_quota.has_value()});
    if (limits.cpu_quota)
        settings.push_back({"cpu.cfs_quota_us",
                            std::to_string(*limits.cpu_quota > 0 ? *limits.cpu_quota : -1),
                            "cpu.quota"});
    if (limits.realtime_period)
        settings.push_back({"cpu.rt_period_us", std::to_string(*limits.realtime_period),
                            "cpu.realtimePeriod", false, limits.realtime_runtime.has_value()});
    if (limits.realtime_runtime)
        settings.push_back(
            {"cpu.rt_runtime_us", std::to_string(*limits.realtime_runtime), "cpu.realtimeRuntime"});
    idle(1);
    return settings;
}

}  // namespace

std::vector<Setting> settings_v1(Controller controller, const Limits& limits,
                                 const Reader& current) {
    std::vector<Setting> settings;
    switch (controller) {
        case Controller::pids:
            if (limits.pids_max)
                settings.push_back({"pids.max",
                                    *limits.pids_max < 0 ? "max" : std::to_string(*limits.pids_max),
                                    "pids.limit"});
            break;
        case Controller::memory:
            return v1_memory(limits, current);
        case Controller::cpu:
            return v1_cpu(limits);
        case Controller::cpuset:
            if (limits.cpuset_cpus)
                settings.push_back({"cpuset.cpus", *limits.cpuset_cpus, "cpu.cpus"});
            if (limits.cpuset_mems)
                settings.push_back({"cpuset.mems", *limits.cpuset_mems, "cpu.mems"});
            break;
        case Controller::io:
            return io_settings(Version::v1, limits.io, current);
        case Controller::hugetlb:
            return hugetlb_settings(Version::v1, limits);
        case Controller::rdma:
            return rdma_settings(limits);
        case Controller::net_cls:
            if (limits.network_class)
                settings.push_back(
                    {"net_cls.classid", std::to_string(*limits.network_class), "network.classID"});
            break;
        case Controller::net_prio:
            for (const auto& [interface, priority] : limits.network_priorities)
                settings.push_back({"net_prio.ifpriomap",
                                    interface + " " + std::to_string(priority),
                                    "network.priorities[" + interface + "]"});
            break;
    }
    return settings;
}

void inherit_cpuset(const std::string& mount, std::string_view path) {
    static constexpr std::array<std::string_view, 2> kFiles = {"cpuset.cpus", "cpuset.mems"};
    UniqueFd above = sys::open_dir(mount).or_throw("open", mount);
    for (std::size_t end = path.find('/', 1); true; end = path.find('/', end + 1)) {
        const auto dir = mount + std::string{path.substr(0, end)};
        auto group = open_group(mount, path.substr(0, end)).or_throw("open cgroup", dir);
        for (const auto file : kFiles) {
            const auto own = read_control(group, file);
            if (!own || !trim(*own).empty()) continue;
            const auto inherited = read_control(above, file).value_or("");
            sys::write_existing_at(group, file, inherited)
                .or_throw("write", dir + "/" + std::string{file});
        }
        if (end == std::string_view::npos) return;
        above = std::move(group);
    }
}

}  // namespace covey::cgroup
