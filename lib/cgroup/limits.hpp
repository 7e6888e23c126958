// What a cgroup may be told to enforce: plain data, made by lib/plan, written by lib/cgroup.
// Thread rule: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace covey::cgroup {

/// A rule of OCI's `linux.resources.devices`.
struct DeviceRule {
    bool allow = false;
    char type = 'a';                           // 'a', 'b' or 'c'
    std::optional<std::int64_t> major, minor;  // absent: any
    std::string access = "rwm";
};

/// What Covey enforces now. Bytes, microseconds, counts; absent means "leave as it is", -1 "no
/// limit".
struct Limits {
    std::optional<std::int64_t> pids_max;            // 0 is no limit too, as Docker sends it
    std::optional<std::int64_t> memory_max;          // bytes
    std::optional<std::int64_t> memory_reservation;  // bytes: v2 memory.low, v1 soft limit
    std::optional<std::int64_t> memory_swap;         // bytes, memory + swap as OCI counts it
    std::optional<std::uint64_t> cpu_shares;  // OCI shares 2…262144; v2 weight by OCI's formula
    std::optional<std::int64_t> cpu_quota;    // microseconds a period
    std::optional<std::uint64_t> cpu_period;  // microseconds
    std::optional<std::string> cpuset_cpus, cpuset_mems;
    /// v2 files written as they are (`linux.resources.unified`).
    std::map<std::string, std::string> unified;

    [[nodiscard]] bool empty() const noexcept;
};

}  // namespace covey::cgroup
