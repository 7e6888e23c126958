// What coveyd says of itself and of the host: /v1/version, /v1/info, /v1/healthz.
// Thread rule: any thread. host_info() calls uname(2); nothing blocks.
#pragma once

#include "api/action.hpp"
#include "api/http.hpp"
#include "cgroup/cgroup.hpp"

#include <vector>

namespace covey::daemon {

[[nodiscard]] Response version_response();
[[nodiscard]] Response info_response(const cgroup::Host& host,
                                     const std::vector<HostCheck>& checks);
[[nodiscard]] Response health_response();

}  // namespace covey::daemon
