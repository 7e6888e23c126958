// Ids of sandboxes, containers and execs: the API's alphabet, and the wider one of covey-runtime's
// containers, whose ids engines choose. Checked in one place.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace covey {

inline constexpr std::size_t kLongestId = 128;

/// `[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}`: never empty, never starts with a dot or a dash, so it is
/// always one safe path component.
[[nodiscard]] bool is_valid_id(std::string_view id) noexcept;
/// Throws Code::invalid_argument naming `what` ("sandbox id"), the id and the alphabet.
void require_valid_id(std::string_view id, std::string_view what);
/// What runc takes: `[A-Za-z0-9_+-][A-Za-z0-9_+.-]*`, at most NAME_MAX bytes.
[[nodiscard]] bool is_valid_container_id(std::string_view id) noexcept;
/// Throws Code::invalid_argument naming the id and the alphabet.
void require_valid_container_id(std::string_view id);
/// 16 hex digits from getrandom(2).
[[nodiscard]] std::string random_id();

}  // namespace covey
