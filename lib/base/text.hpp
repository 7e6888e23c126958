// Small text helpers: errno names, strict numbers, nearest names for "did you mean".
// Thread rule: pure functions. Do not block.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace covey {

/// "Permission denied (EACCES)"; never uses the locale.
[[nodiscard]] std::string errno_text(int error);
/// "EACCES", or "errno 4711".
[[nodiscard]] std::string errno_name(int error);

/// Strict decimal: digits only, no sign, no space, no overflow.
[[nodiscard]] std::optional<std::uint64_t> parse_u64(std::string_view text) noexcept;
[[nodiscard]] std::optional<std::int64_t> parse_i64(std::string_view text) noexcept;
[[nodiscard]] std::optional<std::uint32_t> parse_u32(std::string_view text) noexcept;

[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
[[nodiscard]] std::string join(std::span<const std::string> parts, std::string_view separator);
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;
[[nodiscard]] std::string to_upper(std::string_view text);

/// The candidate with the smallest edit distance, if it is close enough to be a slip of the pen.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 std::span<const std::string_view> candidates);
/// " (did you mean 'x'?)" or "".
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       std::span<const std::string_view> candidates);

/// UTF-8 check as in RFC 3629: no overlong forms, no surrogates.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// RFC 3339 in UTC with microseconds, for display and records.
[[nodiscard]] std::string rfc3339_now();
[[nodiscard]] std::string rfc3339(std::int64_t unix_microseconds);

}  // namespace covey
