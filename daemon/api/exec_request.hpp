// The query of POST /v1/containers/{id}/exec → ExecAction. Thread rule: pure function. Does not
// block.
#pragma once

#include "api/action.hpp"
#include "api/target.hpp"

#include <string>

namespace covey::daemon {

/// Throws invalid_argument and unknown_field.
[[nodiscard]] ExecAction decode_exec(const std::string& container, const QueryParameters& query);

}  // namespace covey::daemon
