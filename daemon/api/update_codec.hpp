// The bodies of POST /v1/containers/{id}/update and …/resize → actions. Thread rule: pure
// functions. Do not block.
#pragma once

#include "api/action.hpp"

#include <string>
#include <string_view>

namespace covey::daemon {

/// {"resources": OCI's linux.resources}. Stricter than a bundle's: a field that OCI does not know,
/// or that cannot be changed, is refused here; values are read where they are applied, by a child
/// of the shim. Throws unknown_field and invalid_argument, with
/// everything that is wrong.
[[nodiscard]] UpdateAction decode_update(const std::string& id, std::string_view body);
/// {"width", "height"} in characters, both from 1 to 65535.
[[nodiscard]] ResizeAction decode_resize(const std::string& id, std::string_view body);

}  // namespace covey::daemon
