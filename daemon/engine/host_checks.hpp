// What this host offers Covey, each item found by trying it and never by a version number: the
// lines of `covey doctor` and of GET /v1/info. Used by the engine only. Thread rule: any thread.
// Makes and removes one empty cgroup.
#pragma once

#include "api/action.hpp"
#include "cgroup/cgroup.hpp"
#include "engine/id_range.hpp"

#include <vector>

namespace covey::daemon {

[[nodiscard]] std::vector<HostCheck> check_host(const cgroup::Host& host, const IdSource& ids);

}  // namespace covey::daemon
