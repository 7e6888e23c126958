#include "runtime/duration.hpp"

#include "covey/error.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace covey::runtime {
namespace {

struct Unit {
    std::string_view name;
    double milliseconds;
};
// "ms" before "m", as the longer one must win.
constexpr std::array kUnits{Unit{"ms", 1},  Unit{"us", 1e-3}, Unit{"ns", 1e-6},
                            Unit{"s", 1e3}, Unit{"m", 6e4},   Unit{"h", 36e5}};
constexpr double kLongest = 24 * 36e5;

[[noreturn]] void refuse_duration(std::string_view text, std::string_view flag) {
    throw Error(Code::invalid_argument,
                fmt::format("flag --{}: '{}' is not a time such as 5s or 500ms", flag, text))
        .with_fix("give a number and a unit (ms, s, m, h), at least 1ms, at most 24h");
}

}  // namespace

std::chrono::milliseconds parse_duration(std::string_view text, std::string_view flag) {
    double total = 0;
    auto rest = text;
    do {
        double number = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number,
                                                  std::chars_format::fixed);
        if (error != std::errc{} || number < 0) refuse_duration(text, flag);
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        const Unit* unit = nullptr;
        for (const auto& one : kUnits)
            if (unit == nullptr && rest.starts_with(one.name)) unit = &one;
        if (unit == nullptr) refuse_duration(text, flag);
        rest.remove_prefix(unit->name.size());
        total += number * unit->milliseconds;
    } while (!rest.empty());
    if (total < 1 || total > kLongest) refuse_duration(text, flag);
    return std::chrono::milliseconds{static_cast<std::int64_t>(total)};
}

}  // namespace covey::runtime
