#include "ctl/units.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>

namespace covey::ctl {

std::string age_text(std::int64_t seconds) {
    struct Unit {
        std::int64_t seconds;
        char letter;
    };
    static constexpr std::array<Unit, 4> kUnits{
        {{365 * 86'400, 'y'}, {86'400, 'd'}, {3'600, 'h'}, {60, 'm'}}};
    for (const Unit& unit : kUnits)
        if (seconds >= unit.seconds)
            return fmt::format("{}{}", seconds / unit.seconds, unit.letter);
    return fmt::format("{}s", seconds < 0 ? 0 : seconds);
}

std::string size_text(std::uint64_t bytes) {
    constexpr double kKib = 1024.0;
    const double kib = static_cast<double>(bytes) / kKib;
    if (kib < 100) return fmt::format("{:.0f}K", kib);
    if (kib < 1000 * kKib) return fmt::format("{:.1f}M", kib / kKib);
    return fmt::format("{:.1f}G", kib / kKib / kKib);
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
    // 2026-01-31T10:00:00[.123456]Z: what the API writes, and nothing else.
    if (text.size() < 20 || text.back() != 'Z' || text[4] != '-' || text[7] != '-' ||
        text[10] != 'T' || text[13] != ':' || text[16] != ':')
        return std::nullopt;
    const auto year = parse_u32(text.substr(0, 4)), month = parse_u32(text.substr(5, 2)),
               day = parse_u32(text.substr(8, 2)), hour = parse_u32(text.substr(11, 2)),
               minute = parse_u32(text.substr(14, 2)), second = parse_u32(text.substr(17, 2));
    if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)},
                                           std::chrono::month{*month}, std::chrono::day{*day}};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;

    std::int64_t fraction = 0;
    if (text.size() > 20) {
        std::string digits{text.substr(20, text.size() - 21)};
        if (text[19] != '.' || digits.empty() || digits.size() > 9) return std::nullopt;
        digits.resize(6, '0');
        const auto value = parse_u32(digits);
        if (!value) return std::nullopt;
        fraction = *value;
    }
    const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
    return (((days * 24 + *hour) * 60 + *minute) * 60 + *second) * 1'000'000 + fraction;
}

std::string age_of(std::string_view rfc3339, std::int64_t now_microseconds) {
    const auto then = parse_rfc3339(rfc3339);
    return then ? age_text((now_microseconds - *then) / 1'000'000) : "–";
}

std::string time_until(std::string_view rfc3339, std::int64_t now_microseconds) {
    const auto then = parse_rfc3339(rfc3339);
    return then ? age_text((*then - now_microseconds) / 1'000'000) : "–";
}

std::int64_t now_microseconds() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace covey::ctl
