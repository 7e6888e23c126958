// Processes of the pod's PID namespace that could reach a privileged newborn, and are in no
// container that is known to: another runtime has put them there by the namespace's path (`POST
// …/oci`, runc), or somebody with nsenter(1), or they have moved into the group of a container that
// could not. Found through a procfs of the pod's namespace. Thread rule: the loop's thread.
#pragma once

#include "cgroup/cgroup.hpp"
#include "shim/sandbox.hpp"
#include "task/members.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace covey::shim {

/// `host` and `sandbox` are borrowed; `held` gives the groups of all the pod's containers
/// that are held still anyway, `others` of the others. `can_be_left`: who owns a user namespace may
/// move those who stand still, and so thaw them (cgroup/residents.hpp), and `movers` are the groups
/// of those of the others who would let one of the pod into theirs.
[[nodiscard]] std::unique_ptr<task::Members> strangers_of(
    const cgroup::Host& host, const Sandbox& sandbox,
    std::function<std::vector<const cgroup::Group*>()> held,
    std::function<std::vector<const cgroup::Group*>()> others,
    std::function<std::vector<const cgroup::Group*>()> movers, bool can_be_left);

}  // namespace covey::shim
