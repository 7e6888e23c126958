// The processes of a sandbox → JSON. Thread rule: pure function. Does not block.
#pragma once

#include "api/http.hpp"
#include "core/processes.hpp"

#include <vector>

namespace covey::daemon {

[[nodiscard]] Response process_response(const std::vector<core::PodProcess>& processes);

}  // namespace covey::daemon
