// Sizes as people write them. Thread rule: pure functions. Do not block.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace covey {

/// Bytes: "512m", "1.5GiB", "1024", or -1 for "-1". Units as runc and Docker read them: powers of
/// 1024, in either case. Nothing for what is no size.
[[nodiscard]] std::optional<std::int64_t> parse_size(std::string_view text);

}  // namespace covey
