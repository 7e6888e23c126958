// Debuggers: the request's body → an action, what is kept of it → JSON.
// Thread rule: pure functions. Do not block.
#pragma once

#include "api/action.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace covey::daemon {

/// Throws invalid_argument and unknown_field, with everything that is wrong.
[[nodiscard]] DebugAction decode_debug(const std::string& sandbox, std::string_view body);

/// `debug` of a container's object.
[[nodiscard]] nlohmann::ordered_json debug_terms_json(const DebugTerms& terms);

}  // namespace covey::daemon
