// Whether the root of a user namespace can work with a root filesystem: the files are the bundle
// author's, and what belongs to an id that the namespace does not map is nobody's in there. Called
// by the launcher, on the host. Thread rule: single-threaded programs. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "plan/plan.hpp"

namespace covey::launch {

/// Throws failed_precondition when the container's root may not even enter the folder; adds a
/// warning to the plan's when it may not write there.
void check_root_owner(plan::LaunchPlan& plan, FdRef root);

}  // namespace covey::launch
