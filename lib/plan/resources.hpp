// linux.resources of the spec → cgroup limits. Called by the compilation and by whoever updates a
// container that is there. Thread rule: pure functions. Do not block.
#pragma once

#include "cgroup/limits.hpp"
#include "spec/linux_types.hpp"
#include "spec/problem.hpp"

#include <string>
#include <vector>

namespace covey::plan {

/// A new group has no limits: "no limit" (-1) and a value that is the kernel's default ask for
/// nothing there. For an update -1 lifts a limit. 0 is "not set" in both, as engines write it,
/// where the kernel could do nothing with it.
enum class LimitsFor { new_group, update };

struct ResourceLimits {
    cgroup::Limits limits;
    std::vector<std::string> warnings;
    std::vector<spec::Problem> problems;  // pointers begin with /linux/resources
};
[[nodiscard]] ResourceLimits limits_of(const spec::Resources& resources, LimitsFor purpose);

}  // namespace covey::plan
