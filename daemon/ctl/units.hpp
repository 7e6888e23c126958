// Numbers as people read them: ages, sizes, times. Called by every command that prints a table.
// Thread rule: pure functions. Do not block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace covey::ctl {

/// "0s", "45s", "2m", "3h", "4d", "2y": the largest whole unit. A negative age (a clock that was
/// set back) is "0s".
[[nodiscard]] std::string age_text(std::int64_t seconds);
/// "36K", "0.6M", "5.1M", "1.2G".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
/// "2026-01-31T10:00:00.123456Z" → Unix microseconds; nothing if it is no RFC 3339 time in UTC.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text);
/// Age of an RFC 3339 time; "–" if there is none.
[[nodiscard]] std::string age_of(std::string_view rfc3339, std::int64_t now_microseconds);
/// The time until then, "0s" when it is over.
[[nodiscard]] std::string time_until(std::string_view rfc3339, std::int64_t now_microseconds);
/// The wall clock, Unix microseconds.
[[nodiscard]] std::int64_t now_microseconds();

}  // namespace covey::ctl
