// exec --cgroup: a group below the container's, in every hierarchy or in those of some v1
// controllers. Called by exec. Thread rule: single-threaded. Blocks as cgroupfs does.
#pragma once

#include "cgroup/cgroup.hpp"

#include <string>
#include <vector>

namespace covey::runtime {

/// Where the process goes, by flags in runc's form: "PATH" alone (every hierarchy, the only form
/// for cgroup v2), or "CONTROLLER[,CONTROLLER]:PATH", as many as there are v1 hierarchies; in the
/// others it is in the container's own group. Each group must be there. Throws invalid_argument,
/// not_found.
[[nodiscard]] cgroup::Placement sub_group(const cgroup::Host& host,
                                          const cgroup::Placement& container,
                                          const std::vector<std::string>& flags);

}  // namespace covey::runtime
