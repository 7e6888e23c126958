// The v2 dialect: Documentation/admin-guide/cgroup-v2.rst, "Controllers".
#include "base/text.hpp"
#include "cgroup/settings.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <cmath>

namespace covey::cgroup {
namespace {

std::string number_or_max(std::int64_t value) {
    return value < 0 ? "max" : std::to_string(value);
}

/// OCI counts memory + swap together, v2 counts swap alone.
std::optional<Setting> swap_setting(const Limits& limits, const Reader& current) {
    const std::string field = "memory.swap";
    if (!limits.memory_swap) {
        // Unlimited memory with a swap limit left over from v1's way of counting makes no sense.
        if (limits.memory_max && *limits.memory_max < 0)
            return Setting{"memory.swap.max", "max", field, true};
        return std::nullopt;
    }
    const std::int64_t total = *limits.memory_swap;
    if (total < 0) return Setting{"memory.swap.max", "max", field, true};
    std::optional<std::int64_t> memory = limits.memory_max;
    if (!memory)
        if (const auto now = current("memory.max")) memory = parse_i64(*now);
    if (!memory || *memory < 0)
        throw Error(Code::invalid_argument,
                    fmt::format("memory.swap {} without a memory limit", total))
            .with_fix("set memory.limit too: memory.swap counts memory and swap together");
    if (total < *memory)
        throw Error(Code::invalid_argument,
                    fmt::format("memory.swap {} is less than memory.limit {}", total, *memory))
            .with_fix("memory.swap counts memory and swap together: make it at least memory.limit");
    const std::int64_t swap = total - *memory;
    return Setting{"memory.swap.max", std::to_string(swap), field, swap == 0};
}

/// v2 takes a limit below what is used, and kills. OCI's checkBeforeUpdate asks for a refusal.
void check_usage(const Limits& limits, const Reader& current) {
    const auto now = current("memory.current");
    const auto used = now ? parse_i64(*now) : std::nullopt;
    if (!limits.check_usage || !used) return;
    const auto check = [&](std::optional<std::int64_t> limit, std::string_view field) {
        if (limit.value_or(0) <= 0 || *limit >= *used) return;
        throw Error(
            Code::failed_precondition,
            fmt::format("{} {} is below the {} bytes that are used now", field, *limit, *used))
            .with_fix("free some first, or ask without checkBeforeUpdate");
    };
    check(limits.memory_max, "memory.limit");
    check(limits.memory_swap, "memory.swap");
}

/// What v1 had and v2 has no file for: named as the file that is missing.
void add_v1_only_memory(std::vector<Setting>& settings, const Limits& limits) {
    if (limits.memory_kernel_tcp.value_or(-1) >= 0)
        settings.push_back({"memory.kmem.tcp.limit_in_bytes",
                            std::to_string(*limits.memory_kernel_tcp), "memory.kernelTCP"});
    if (limits.memory_swappiness)
        settings.push_back(
            {"memory.swappiness", std::to_string(*limits.memory_swappiness), "memory.swappiness"});
    if (limits.oom_killer_off.value_or(false))
        settings.push_back({"memory.oom_control", "1", "memory.disableOOMKiller"});
}

std::vector<Setting> v2_memory(const Limits& limits, const Reader& current) {
    std::vector<Setting> settings;
    check_usage(limits, current);
    // Swap first: with the memory limit alone in force, a group that grows would go to swap.
    if (auto swap = swap_setting(limits, current)) settings.push_back(std::move(*swap));
    if (limits.memory_max)
        settings.push_back({"memory.max", number_or_max(*limits.memory_max), "memory.limit"});
    if (limits.memory_reservation)
        settings.push_back(
            {"memory.low", number_or_max(*limits.memory_reservation), "memory.reservation"});
    add_v1_only_memory(settings, limits);
    return settings;
}

/// Quota and period are one file, and either may come alone.
std::optional<Setting> bandwidth(const Limits& limits, const Reader& current) {
    if (!limits.cpu_quota && !limits.cpu_period) return std::nullopt;
    std::string quota = "max";
    if (limits.cpu_quota) {
        if (*limits.cpu_quota > 0) quota = std::to_string(*limits.cpu_quota);
    } else if (const auto now = current("cpu.max")) {
        quota = std::string{split(*now, ' ').front()};
    }
    // A write of the quota alone keeps the period.
    if (limits.cpu_period && *limits.cpu_period != 0)
        quota += " " + std::to_string(*limits.cpu_period);
    return Setting{"cpu.max", quota, limits.cpu_quota ? "cpu.quota" : "cpu.period"};
}

std::vector<Setting> v2_cpu(const Limits& limits, const Reader& current) {
    std::vector<Setting> settings;
    // As in v1: a group that is idle has no weight.
    const auto idle = [&](std::int64_t value) {
        if (limits.cpu_idle == value)
            settings.push_back({"cpu.idle", std::to_string(value), "cpu.idle", value == 0});
    };
    idle(0);
    if (limits.cpu_shares && *limits.cpu_shares != 0)
        settings.push_back(
            {"cpu.weight", std::to_string(weight_from_shares(*limits.cpu_shares)), "cpu.shares"});
    if (limits.cpu_burst)
        settings.push_back({"cpu.max.burst", std::to_string(*limits.cpu_burst), "cpu.burst",
                            *limits.cpu_burst == 0, true});
    if (auto quota = bandwidth(limits, current)) settings.push_back(std::move(*quota));
    if (limits.realtime_period)
        settings.push_back(
            {"cpu.rt_period_us", std::to_string(*limits.realtime_period), "cpu.realtimePeriod"});
    if (limits.realtime_runtime)
        settings.push_back(
            {"cpu.rt_runtime_us", std::to_string(*limits.realtime_runtime), "cpu.realtimeRuntime"});
    idle(1);
    return settings;
}

}  // namespace

std::uint64_t weight_from_shares(std::uint64_t shares) noexcept {
    constexpr std::uint64_t kFewest = 2, kMost = 262'144, kLightest = 1, kHeaviest = 10'000;
    if (shares <= kFewest) return kLightest;
    if (shares >= kMost) return kHeaviest;
    // A curve through (2, 1), (1024, 100) and (262144, 10000): what is usual in v1 is so in v2.
    const double log = std::log2(static_cast<double>(shares));
    const double exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    return static_cast<std::uint64_t>(std::ceil(std::pow(10.0, exponent)));
}

std::vector<Setting> settings_v2(Controller controller, const Limits& limits,
                                 const Reader& current) {
    std::vector<Setting> settings;
    switch (controller) {
        case Controller::pids:
            if (limits.pids_max)
                settings.push_back({"pids.max", number_or_max(*limits.pids_max), "pids.limit"});
            break;
        case Controller::memory:
            return v2_memory(limits, current);
        case Controller::cpu:
            return v2_cpu(limits, current);
        case Controller::cpuset:
            if (limits.cpuset_cpus)
                settings.push_back({"cpuset.cpus", *limits.cpuset_cpus, "cpu.cpus"});
            if (limits.cpuset_mems)
                settings.push_back({"cpuset.mems", *limits.cpuset_mems, "cpu.mems"});
            break;
        case Controller::io:
            return io_settings(Version::v2, limits.io, current);
        case Controller::hugetlb:
            return hugetlb_settings(Version::v2, limits);
        case Controller::rdma:
            return rdma_settings(limits);
        case Controller::net_cls:
        case Controller::net_prio:
            break;  // v2 has none: network rules match a group's path instead (iptables, BPF)
    }
    return settings;
}

}  // namespace covey::cgroup
