// Structured log lines on stderr: `time level key=value… message`. lib/ logs at debug level only;
// the program that handles an error logs it once. Never both throw and log.
// Thread rule: one write(2) a line, so lines of several threads never mix. May block on stderr.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace covey::log {

enum class Level { debug, info, warning, error };
enum class Format { text, json };

void set_level(Level level) noexcept;
void set_format(Format format) noexcept;
[[nodiscard]] Level level() noexcept;

using Field = std::pair<std::string_view, std::string>;

/// Control bytes in values are escaped: one call is always exactly one line.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::debug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::info, message, fields);
}
inline void warning(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::warning, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::error, message, fields);
}

}  // namespace covey::log
