// The field `access`: a preset's name or {see, signal, inspect}. Called by the codecs.
// Thread rule: pure functions. Do not block.
#pragma once

#include "api/action.hpp"
#include "api/body_reader.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>

namespace covey::daemon {

/// Nothing when it is absent or wrong; what is wrong is noted. Absent members are `pod`.
[[nodiscard]] std::optional<spec::Access> read_access(BodyReader& reader);
/// The preset's name, or the object.
[[nodiscard]] nlohmann::ordered_json access_json(const spec::Access& access);

}  // namespace covey::daemon
