// Children that the shim was never told of: a launch ended between the clone of its process and
// the message of its birth. Unreaped, one would keep its PID namespace (the pod's) from ending.
// Called at the end of a failed launch. Thread rule: the shim's thread. Waits for who was killed.
#pragma once

#include "cgroup/cgroup.hpp"

#include <string>

namespace covey::shim {

/// Kills and reaps this process's children in `group` and below. Nobody else's pidfd may wait for
/// one of them. Never throws: what cannot be read is left.
void reap_unborn(const cgroup::Host& host, const std::string& group) noexcept;

}  // namespace covey::shim
