#include "spec/checks.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace covey::spec {
namespace {

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
bool is_alnum(char c) noexcept {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_semver_number(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit) &&
           (text.size() == 1 || text.front() != '0');
}

bool are_semver_identifiers(std::string_view text, bool leading_zero_allowed) {
    for (const auto part : split(text, '.')) {
        const bool good = !part.empty() && std::all_of(part.begin(), part.end(), [](char c) {
            return is_alnum(c) || c == '-';
        });
        if (!good) return false;
        const bool numeric = std::all_of(part.begin(), part.end(), is_digit);
        if (numeric && !leading_zero_allowed && !is_semver_number(part)) return false;
    }
    return true;
}

/// "N", "N-M" or "N-M:used/group".
bool is_cpu_range(std::string_view part) {
    std::string_view range = part;
    if (const auto colon = part.find(':'); colon != std::string_view::npos) {
        range = part.substr(0, colon);
        const auto stride = split(part.substr(colon + 1), '/');
        if (stride.size() != 2 || range.find('-') == std::string_view::npos) return false;
        const auto used = parse_u32(stride[0]);
        const auto group = parse_u32(stride[1]);
        if (!used || !group || *used == 0 || *used > *group) return false;
    }
    const auto ends = split(range, '-');
    if (ends.empty() || ends.size() > 2) return false;
    const auto first = parse_u32(ends.front());
    const auto last = parse_u32(ends.back());
    return first && last && *first <= *last;
}

}  // namespace

bool has_control(std::string_view text) noexcept {
    return std::any_of(text.begin(), text.end(), [](char byte) {
        return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f;
    });
}

bool is_absolute(std::string_view path) noexcept {
    return path.starts_with('/');
}

bool is_semver(std::string_view text) {
    std::string_view core = text;
    if (const auto plus = core.find('+'); plus != std::string_view::npos) {
        if (!are_semver_identifiers(core.substr(plus + 1), true)) return false;
        core = core.substr(0, plus);
    }
    if (const auto dash = core.find('-'); dash != std::string_view::npos) {
        if (!are_semver_identifiers(core.substr(dash + 1), false)) return false;
        core = core.substr(0, dash);
    }
    const auto numbers = split(core, '.');
    return numbers.size() == 3 && std::all_of(numbers.begin(), numbers.end(), is_semver_number);
}

bool is_cpu_list(std::string_view text) {
    const auto parts = split(text, ',');
    return !parts.empty() && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
        return is_cpu_range(trim(part));
    });
}

bool is_sysctl_key(std::string_view key) noexcept {
    // A leading or doubled separator would be an empty token, and with it ".." cannot occur.
    bool token_is_empty = true;
    for (const char c : key) {
        if (c == '.' || c == '/') {
            if (token_is_empty) return false;
            token_is_empty = true;
        } else if (is_alnum(c) || c == '_' || c == '-') {
            token_is_empty = false;
        } else {
            return false;
        }
    }
    return !token_is_empty;
}

bool is_hugepage_size(std::string_view text) noexcept {
    if (text.size() < 3 || text.back() != 'B') return false;
    const char unit = text[text.size() - 2];
    const auto digits = text.substr(0, text.size() - 2);
    return (unit == 'K' || unit == 'M' || unit == 'G') && digits.front() != '0' &&
           std::all_of(digits.begin(), digits.end(), is_digit);
}

bool is_file_name(std::string_view name) noexcept {
    return !name.empty() && name != "." && name != ".." &&
           name.find('/') == std::string_view::npos && !has_control(name);
}

bool is_device_name(std::string_view name) noexcept {
    constexpr std::size_t kLongest = 15;  // IFNAMSIZ with its zero
    return is_file_name(name) && name.size() <= kLongest &&
           name.find_first_of(":% ") == std::string_view::npos;
}

}  // namespace covey::spec
