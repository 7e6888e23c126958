// The other containers of the state folder, for the end of one: a neighbour that sees the pod's
// processes may have moved theirs into its own groups, and its own elsewhere
// (cgroup/residents.hpp). Thread rule: single-threaded. Blocks as the filesystem does.
#pragma once

#include "cgroup/residents.hpp"
#include "runtime/container_store.hpp"
#include "runtime/status.hpp"

#include <string>

namespace covey::runtime {

/// The inits that live; a container whose record cannot be read is passed over.
[[nodiscard]] cgroup::Others others_than(const ContainerStore& store, const std::string& id);

/// SIGKILL to init, in the container's own group, wherever a neighbour may have moved it.
void kill_init(const cgroup::Host& host, const ContainerView& view);

}  // namespace covey::runtime
