// The one strict JSON reader: every document that comes from outside goes through it, so that no
// two readers of Covey can understand one document differently (duplicate keys, trailing data …).
// Thread rule: pure function. Does not block.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string_view>

namespace covey::spec {

inline constexpr std::size_t kDeepestJson = 64;

/// RFC 8259 and nothing else. Refused, each with a JSON pointer: duplicate keys, trailing data, a
/// byte order mark, invalid UTF-8, NUL in any string or key, numbers that do not fit, more than
/// `depth_limit` nested objects and arrays. The caller limits the size of `text`.
/// Throws SpecError, which names `document` ("config.json", "request body").
[[nodiscard]] nlohmann::json parse_strict(std::string_view text, std::string_view document,
                                          std::size_t depth_limit = kDeepestJson);

}  // namespace covey::spec
