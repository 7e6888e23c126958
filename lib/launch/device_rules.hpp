// The container's device rules, put in force on its group; and the one case in which they need not
// be. Called by the launcher, before anything of the container can run. Thread rule:
// single-threaded. Does not block.
#pragma once

#include "cgroup/cgroup.hpp"
#include "plan/plan.hpp"

#include <optional>
#include <string>

namespace covey::launch {

/// A warning when they are not in force: the caller is not root of the host, and may not attach
/// them. Then they would add nothing: such a container makes no device nodes (mknod(2) is EPERM in
/// a user namespace), and those that are bound into it are open to its user anyway, by their
/// owners and modes. For the host's root what cannot be put in force is an error.
[[nodiscard]] std::optional<std::string> apply_device_rules(
    cgroup::Group& group, const plan::LaunchPlan& plan,
    cgroup::DeviceRulesIn in = cgroup::DeviceRulesIn::files);

}  // namespace covey::launch
