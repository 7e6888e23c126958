#include "base/log.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace covey::log {
namespace {

Level g_level = Level::info;
Format g_format = Format::text;

constexpr std::string_view kLevelNames[] = {"debug", "info", "warning", "error"};

/// Quotes and escapes so that no value can start a line or a field of its own.
std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            (result += '\\') += c;
        else if (byte < 0x20 || byte == 0x7F)
            result += fmt::format("\\u{:04x}", byte);
        else
            result += c;
    }
    return result + "\"";
}

bool is_plain(std::string_view text) {
    if (text.empty()) return false;
    for (const char c : text)
        if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\\' || c == 0x7F)
            return false;
    return true;
}

}  // namespace

void set_level(Level level) noexcept {
    g_level = level;
}
void set_format(Format format) noexcept {
    g_format = format;
}
Level level() noexcept {
    return g_level;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
    if (level < g_level) return;
    const auto name = kLevelNames[static_cast<int>(level)];
    std::string line;
    if (g_format == Format::json) {
        line = fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"msg\":{}", rfc3339_now(), name,
                           quoted(message));
        for (const auto& [key, value] : fields)
            line += fmt::format(",\"{}\":{}", key, quoted(value));
        line += "}\n";
    } else {
        line = fmt::format("{} {}", rfc3339_now(), name);
        for (const auto& [key, value] : fields)
            line += fmt::format(" {}={}", key, is_plain(value) ? value : quoted(value));
        line += fmt::format(" {}\n", is_plain(message) ? std::string{message} : quoted(message));
    }
    // A log that cannot be written must not stop the program.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace covey::log
