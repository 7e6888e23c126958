// Text from a container (command lines, names, error text) made safe for a terminal, and cut to it.
// Called by everything that prints. Thread rule: pure functions. Do not block.
#pragma once

#include <string>
#include <string_view>

namespace covey::ctl {

/// Control characters and bytes that are not UTF-8 become '?': a process chooses its own command
/// line, and it must not be able to speak to the operator's terminal in escape sequences.
[[nodiscard]] std::string printable(std::string_view text);
/// JSON text with the same of its characters (but line feeds) written as JSON escapes, which name
/// them all the same.
[[nodiscard]] std::string printable_json(std::string_view json);
/// Columns on a terminal, one for each code point (nothing that we print is wide).
[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;
/// The first `width` columns, the last of them "…" when something was cut. 0: no limit.
[[nodiscard]] std::string cut_to(std::string_view text, std::size_t width);
/// A word for a POSIX shell: as it is when harmless, else in single quotes.
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace covey::ctl
