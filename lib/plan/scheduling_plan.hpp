// When and where a process runs and its memory lies, with the kernel's numbers: parts of a plan
// (plan/plan.hpp), made by scheduling.cpp. Thread rule: values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace covey::plan {

/// sched_setattr(2): numbers of the kernel, times in nanoseconds.
struct SchedulerPlan {
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0;
    /// A child of the one that sets it would not have it (SCHED_FLAG_RESET_ON_FORK), or could not
    /// be (SCHED_DEADLINE).
    bool is_inherited = true;
};

/// set_mempolicy(2): mode with its flags.
struct MemoryPolicyPlan {
    int mode = 0;
    std::vector<unsigned> nodes;
    std::string text;  // for errors: "MPOL_BIND on nodes 0-1"
};

}  // namespace covey::plan
