#include "base/size.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace covey {

std::optional<std::int64_t> parse_size(std::string_view text) {
    constexpr std::string_view kUnits = "bkmgtp";
    if (text == "-1") return -1;
    double value = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (error != std::errc{} || value < 0) return std::nullopt;
    std::string unit{rest, end};
    for (auto& letter : unit)
        letter = static_cast<char>(letter | 0x20);  // ASCII lower case
    const auto power = unit.empty() ? 0 : kUnits.find(unit.front());
    const bool is_known = unit.size() <= 1 || unit.substr(1) == "b" || unit.substr(1) == "ib";
    if (power == kUnits.npos || !is_known || (power == 0 && unit.size() > 1)) return std::nullopt;
    const double bytes = std::ldexp(value, static_cast<int>(10 * power));
    if (bytes >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    return static_cast<std::int64_t>(bytes);
}

}  // namespace covey
