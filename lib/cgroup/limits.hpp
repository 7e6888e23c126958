// What a cgroup may be told to enforce: plain data, made by lib/plan, written by lib/cgroup.
// Thread rule: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace covey::cgroup {

/// A rule of OCI's `linux.resources.devices`.
struct DeviceRule {
    bool allow = false;
    char type = 'a';                           // 'a', 'b' or 'c'
    std::optional<std::int64_t> major, minor;  // absent: any
    std::string access = "rwm";
};

/// What a block device may do. `rate` is bytes or operations a second, 0 lifts the limit.
struct DeviceWeight {
    std::int64_t major = 0, minor = 0;
    std::optional<std::uint16_t> weight, leaf_weight;  // 10…1000
};
struct DeviceRate {
    std::int64_t major = 0, minor = 0;
    std::uint64_t rate = 0;
};
struct IoLimits {
    std::optional<std::uint16_t> weight, leaf_weight;  // 10…1000; v2 weight by runc's formula
    std::vector<DeviceWeight> devices;
    std::vector<DeviceRate> read_bps, write_bps, read_iops, write_iops;

    [[nodiscard]] bool empty() const noexcept {
        return !weight && !leaf_weight && devices.empty() && read_bps.empty() &&
               write_bps.empty() && read_iops.empty() && write_iops.empty();
    }
};

struct RdmaLimits {
    std::optional<std::uint32_t> handles, objects;
};

/// Everything of OCI's `linux.resources` but the device rules. Bytes, microseconds, counts; absent
/// means "leave as it is", -1 "no limit".
struct Limits {
    std::optional<std::int64_t> pids_max;            // processes and threads
    std::optional<std::int64_t> memory_max;          // bytes
    std::optional<std::int64_t> memory_reservation;  // bytes: v2 memory.low, v1 soft limit
    std::optional<std::int64_t> memory_swap;         // bytes, memory + swap as OCI counts it
    std::optional<std::int64_t> memory_kernel_tcp;   // bytes, v1 only
    std::optional<std::uint64_t> memory_swappiness;  // 0…100, v1 only
    std::optional<bool> oom_killer_off;              // v1 only
    /// Refuse a limit below what is used now, instead of having the kernel kill (v2; v1 always
    /// does).
    bool check_usage = false;

    std::optional<std::uint64_t> cpu_shares;  // OCI shares 2…262144; v2 weight by OCI's formula
    std::optional<std::int64_t> cpu_quota;    // microseconds a period
    std::optional<std::uint64_t> cpu_period, cpu_burst;  // microseconds
    std::optional<std::int64_t> cpu_idle;                // 1: SCHED_IDLE's share
    std::optional<std::uint64_t> realtime_period;        // microseconds, v1 only
    std::optional<std::int64_t> realtime_runtime;        // microseconds, v1 only
    std::optional<std::string> cpuset_cpus, cpuset_mems;

    IoLimits io;
    std::map<std::string, std::uint64_t> hugepages;           // "2MB" → bytes
    std::map<std::string, RdmaLimits> rdma;                   // by device
    std::optional<std::uint32_t> network_class;               // v1 only
    std::map<std::string, std::uint32_t> network_priorities;  // by interface, v1 only
    /// v2 files written as they are (`linux.resources.unified`).
    std::map<std::string, std::string> unified;

    [[nodiscard]] bool empty() const;
};

}  // namespace covey::cgroup
