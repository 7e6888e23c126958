// What a container uses, in all the detail that an OCI runtime's `events` reports, from whichever
// hierarchy counts it. Group::stats() is the short form for the API.
// Called by lib/runtime. Thread rule: values; reading is safe from any thread. Blocks as cgroupfs
// does.
#pragma once

#include "cgroup/cgroup.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace covey::cgroup {

struct CpuUsage {
    std::uint64_t total = 0, kernel = 0, user = 0;                         // nanoseconds
    std::vector<std::uint64_t> per_cpu, per_cpu_kernel, per_cpu_user;      // nanoseconds, v1 only
    std::uint64_t periods = 0, throttled_periods = 0, throttled_time = 0;  // time in nanoseconds
};

struct CpusetUsage {
    std::vector<std::uint16_t> cpus, mems;
    /// v1's flags; 0 on v2, but load balance.
    std::uint64_t cpu_exclusive = 0, mem_hardwall = 0, mem_exclusive = 0, memory_migrate = 0,
                  memory_spread_page = 0, memory_spread_slab = 0, memory_pressure = 0,
                  sched_load_balance = 0;
    std::int64_t sched_relax_domain_level = 0;
};

/// Bytes; no limit is the largest number of the hierarchy's version.
struct MemoryCounter {
    std::uint64_t limit = 0, usage = 0, max = 0, failures = 0;
};
struct MemoryUsage {
    std::uint64_t cache = 0;
    MemoryCounter usage, swap, kernel, kernel_tcp;  // swap: memory and swap, in both versions
    std::map<std::string, std::uint64_t> raw;       // memory.stat as it is
};

struct BlockIoEntry {
    std::uint64_t major = 0, minor = 0;
    std::string operation;  // "Read", "Write", "Sync", "Async", "Discard", "Total"
    std::uint64_t value = 0;
};
struct BlockIoUsage {
    std::vector<BlockIoEntry> bytes, operations, queued, service_time, wait_time, merged, time,
        sectors;
};

struct HugepageUsage {
    std::uint64_t usage = 0, max = 0, failures = 0;
};

struct Usage {
    CpuUsage cpu;
    CpusetUsage cpuset;
    MemoryUsage memory;
    std::uint64_t pids = 0, pids_limit = 0;  // limit 0: none
    BlockIoUsage block_io;
    std::map<std::string, HugepageUsage> hugepages;  // by size, "2MB"
};

/// What no hierarchy counts is 0. A group that is gone uses nothing.
[[nodiscard]] Usage read_usage(const Host& host, const Group& group);

}  // namespace covey::cgroup
