#include "ctl/text_safety.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

namespace covey::ctl {
namespace {

constexpr bool is_continuation(char c) noexcept {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

/// Bytes of the code point that begins with `lead`; 1 for a byte that cannot lead.
constexpr std::size_t length_of(char lead) noexcept {
    const auto byte = static_cast<unsigned char>(lead);
    if (byte >= 0xF0U) return 4;
    if (byte >= 0xE0U) return 3;
    return byte >= 0xC0U ? 2 : 1;
}

/// C0, DEL, the C1 controls (U+0080…U+009F: 0x9B is CSI), and the marks that turn the direction of
/// writing (U+200E…200F, U+202A…202E, U+2066…2069), which make a line read as another.
bool is_control(std::string_view point) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(point[i]); };
    if (point.size() == 1) return at(0) < 0x20U || at(0) == 0x7FU;
    if (point.size() == 2) return at(0) == 0xC2U && at(1) < 0xA0U;
    if (point.size() != 3 || at(0) != 0xE2U) return false;
    if (at(1) == 0x80U)
        return at(2) == 0x8EU || at(2) == 0x8FU || (at(2) >= 0xA8U && at(2) <= 0xAEU);
    return at(1) == 0x81U && at(2) >= 0xA6U && at(2) <= 0xA9U;
}

/// Of a code point of at most three bytes.
unsigned number_of(std::string_view point) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(point[i]); };
    if (point.size() == 1) return at(0);
    if (point.size() == 2) return (at(0) & 0x1FU) << 6U | (at(1) & 0x3FU);
    return (at(0) & 0x0FU) << 12U | (at(1) & 0x3FU) << 6U | (at(2) & 0x3FU);
}

}  // namespace

std::string printable(std::string_view text) {
    std::string safe;
    safe.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = length_of(text[at]);
        const std::string_view point = text.substr(at, length);
        const bool whole = point.size() == length && is_utf8(point);
        if (whole && !is_control(point)) {
            safe += point;
        } else {
            safe += '?';
        }
        at += whole ? length : 1;
    }
    return safe;
}

std::string printable_json(std::string_view json) {
    std::string safe;
    safe.reserve(json.size());
    for (std::size_t at = 0; at < json.size();) {
        const auto point = json.substr(at, length_of(json[at]));
        at += point.size();
        if (point == "\n" || !is_control(point))
            safe += point;
        else
            safe += fmt::format("\\u{:04x}", number_of(point));
    }
    return safe;
}

std::size_t display_width(std::string_view text) noexcept {
    std::size_t width = 0;
    for (const char c : text)
        if (!is_continuation(c)) ++width;
    return width;
}

std::string cut_to(std::string_view text, std::size_t width) {
    if (width == 0 || display_width(text) <= width) return std::string{text};
    std::size_t end = 0;
    for (std::size_t columns = 0; end < text.size(); ++end) {
        if (is_continuation(text[end])) continue;
        if (columns + 1 == width) break;
        ++columns;
    }
    return std::string{text.substr(0, end)} + "…";
}

std::string shell_word(std::string_view text) {
    constexpr std::string_view kHarmless =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
    if (!text.empty() && text.find_first_not_of(kHarmless) == text.npos) return std::string{text};
    std::string word = "'";
    for (const char c : text) {
        if (c == '\'')
            word += "'\\''";
        else
            word += c;
    }
    return word + "'";
}

}  // namespace covey::ctl
