// Processes of pods → JSON. Thread rule: pure functions. Do not block.
#pragma once

#include "api/action.hpp"
#include "api/http.hpp"

#include <vector>

namespace covey::daemon {

[[nodiscard]] Response process_response(const std::vector<core::PodProcess>& processes);
[[nodiscard]] Response process_response(const ProcessView& view);

}  // namespace covey::daemon
