// Processes of the pod's PID namespace that are in none of Covey's containers: another runtime has
// put them there by the namespace's path (`POST …/oci`, runc), or somebody with nsenter(1). Found
// through a procfs of the pod's namespace, by cgroup. Thread rule: the loop's thread.
#pragma once

#include "cgroup/cgroup.hpp"
#include "shim/sandbox.hpp"
#include "task/members.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace covey::shim {

/// Those of them who could reach a privileged newborn. `host` and `sandbox` are borrowed; `own`
/// gives the groups of all the pod's containers.
[[nodiscard]] std::unique_ptr<task::Members> strangers_of(
    const cgroup::Host& host, const Sandbox& sandbox,
    std::function<std::vector<const cgroup::Group*>()> own);

}  // namespace covey::shim
