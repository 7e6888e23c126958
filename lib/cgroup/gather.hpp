// Processes that are moved into v1 hierarchies after they have begun, because a limit came later.
// Called by the shim's child that changes limits. Thread rule: safe from any thread. Blocks: about
// 15 ms for each process and hierarchy.
#pragma once

#include "cgroup/cgroup.hpp"

namespace covey::cgroup {

/// Moves the group's processes into every v1 hierarchy in which it exists and they are not: after
/// an apply() that came later than they did. Memory that they use stays counted where it was.
/// Throws timeout when new ones keep coming. `host` is the group's.
void gather(const Host& host, const Group& group);

}  // namespace covey::cgroup
