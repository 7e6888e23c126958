// Groups above a container's that its create makes for a relative cgroupsPath: nobody else knows of
// them, so its delete removes them. Called by create and by what ends a container.
// Thread rule: single-threaded. Blocks as cgroupfs does.
#pragma once

#include "cgroup/cgroup.hpp"
#include "runtime/container_store.hpp"

#include <string>
#include <vector>

namespace covey::runtime {

/// Absolute folders, in every hierarchy, that are not there yet or that were made so for another
/// container of the store: the last one to go removes them. One above before those below.
[[nodiscard]] std::vector<std::string> own_parents(const cgroup::Host& host,
                                                   const cgroup::Placement& placement,
                                                   const ContainerStore& store);
/// Those of them that have neither processes nor groups in them.
void remove_parents(const std::vector<std::string>& folders) noexcept;

}  // namespace covey::runtime
