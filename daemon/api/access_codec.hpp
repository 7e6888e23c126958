// Who may what → JSON. Thread rule: pure functions. Do not block.
#pragma once

#include "api/action.hpp"
#include "api/http.hpp"

#include <vector>

namespace covey::daemon {

[[nodiscard]] Response access_response(const std::vector<AccessView>& views);

}  // namespace covey::daemon
