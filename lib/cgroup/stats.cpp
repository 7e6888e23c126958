// What a group uses, from whichever hierarchy counts it.
#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/tree.hpp"

namespace covey::cgroup {
namespace {

std::optional<std::uint64_t> control_number(FdRef group, std::string_view file) {
    const auto text = read_control(group, file);
    return text ? parse_u64(trim(*text)) : std::nullopt;
}

std::optional<std::uint64_t> keyed(FdRef group, std::string_view file, std::string_view key) {
    const auto text = read_control(group, file);
    return text ? keyed_number(*text, key) : std::nullopt;
}

/// Fills what v2 has left open, if the group exists in that v1 hierarchy.
template <typename Fill>
void from_v1(const Host& host, const char* controller, const Placement& placement, Fill fill) {
    const auto mount = host.v1.find(controller);
    if (mount == host.v1.end()) return;
    if (const auto group = open_group(mount->second, placement.in(mount->second)))
        fill(group.value().ref());
}

/// v1 counts where the victim was, not in the groups above.
void count_ooms_of_seat(const Host& host, const Placement& placement, Stats& stats) {
    const auto mount = host.v1.find("memory");
    if (!stats.oom_kills || mount == host.v1.end()) return;
    if (const auto seat = open_group(mount->second, seat_below(placement.in(mount->second))))
        *stats.oom_kills += keyed(seat.value(), "memory.oom_control", "oom_kill").value_or(0);
}

void read_v2(FdRef group, Stats& stats) {
    stats.pids_current = control_number(group, "pids.current");
    stats.memory_current = control_number(group, "memory.current");
    stats.memory_peak = control_number(group, "memory.peak");  // Linux 5.19
    stats.oom_kills = keyed(group, "memory.events", "oom_kill");
    // Every v2 group counts its time, with or without the cpu controller.
    if (const auto cpu = read_control(group, "cpu.stat")) {
        stats.cpu_usage_us = keyed_number(*cpu, "usage_usec");
        stats.cpu_user_us = keyed_number(*cpu, "user_usec");
        stats.cpu_system_us = keyed_number(*cpu, "system_usec");
    }
}

std::optional<std::uint64_t> microseconds(std::optional<std::uint64_t> nanoseconds) {
    return nanoseconds ? std::optional{*nanoseconds / 1000} : std::nullopt;
}

}  // namespace

Stats Group::stats() const {
    Stats stats;
    if (!host_->unified.empty()) read_v2(identity_, stats);
    if (!stats.pids_current)
        from_v1(*host_, "pids", placement_,
                [&](FdRef group) { stats.pids_current = control_number(group, "pids.current"); });
    if (!stats.memory_current)
        from_v1(*host_, "memory", placement_, [&](FdRef group) {
            stats.memory_current = control_number(group, "memory.usage_in_bytes");
            stats.memory_peak = control_number(group, "memory.max_usage_in_bytes");
            stats.oom_kills = keyed(group, "memory.oom_control", "oom_kill");
        });
    count_ooms_of_seat(*host_, placement_, stats);
    if (!stats.cpu_usage_us)
        from_v1(*host_, "cpuacct", placement_, [&](FdRef group) {
            stats.cpu_usage_us = microseconds(control_number(group, "cpuacct.usage"));
            stats.cpu_user_us = microseconds(control_number(group, "cpuacct.usage_user"));
            stats.cpu_system_us = microseconds(control_number(group, "cpuacct.usage_sys"));
        });
    return stats;
}

}  // namespace covey::cgroup
