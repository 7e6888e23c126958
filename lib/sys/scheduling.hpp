// When and where the calling process runs: scheduler, I/O priority, CPUs; and as what kind of
// machine it sees this one (personality). Thread rule: they act on the calling thread; used only in
// single-threaded programs of ours. Do not block.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <span>

namespace covey::sys {

/// sched_setattr(2); SCHED_* and SCHED_FLAG_*, times in nanoseconds.
struct Scheduling {
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0;
};
Result<void> set_scheduling(const Scheduling& wanted);
/// ioprio_set(2): class and data as the kernel puts them into one number.
Result<void> set_io_priority(int value);
/// Numbers of CPUs; the kernel leaves out those that are not there or not in the cpuset.
Result<void> set_cpu_affinity(std::span<const unsigned> cpus);
/// Every CPU that the cpuset of the process gives, now and later, however many the kernel knows.
Result<void> set_cpu_affinity_to_all();
/// set_mempolicy(2) with MPOL_* and MPOL_F_*; numbers of memory nodes.
Result<void> set_memory_policy(int mode, std::span<const unsigned> nodes);
/// personality(2): PER_*.
Result<void> set_personality(unsigned long persona);

}  // namespace covey::sys
