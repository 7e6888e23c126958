#include "api/query.hpp"

#include "base/id.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace covey::daemon {
namespace {

Error bad_value(std::string_view name, std::string_view value, std::string_view must_be) {
    return Error(Code::invalid_argument,
                 fmt::format("query parameter '{}': '{}' must be {}", name, value, must_be))
        .with_fix(fmt::format("give {} as {}", name, must_be));
}

}  // namespace

Query::Query(const QueryParameters& parameters, std::span<const std::string_view> known)
    : parameters_(&parameters) {
    std::vector<std::string> unknown;
    for (const auto& [name, value] : parameters) {
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        unknown.push_back(
            fmt::format("unknown query parameter '{}'{}", name, did_you_mean(name, known)));
    }
    if (unknown.empty()) return;
    const std::vector<std::string> names{known.begin(), known.end()};
    throw Error(Code::unknown_field, join(unknown, "; "))
        .with_fix(names.empty() ? std::string{"remove it: this request takes none"}
                                : "this request takes: " + join(names, ", "));
}

std::vector<std::string> Query::all(std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [key, value] : *parameters_)
        if (key == name) values.push_back(value);
    return values;
}

std::optional<std::string> Query::one(std::string_view name) const {
    auto values = all(name);
    if (values.empty()) return std::nullopt;
    if (values.size() > 1)
        throw Error(Code::invalid_argument,
                    fmt::format("query parameter '{}' is there {} times", name, values.size()))
            .with_fix(fmt::format("give {} once", name));
    return std::move(values.front());
}

bool Query::flag(std::string_view name, bool absent) const {
    const auto value = one(name);
    if (!value) return absent;
    if (*value == "true" || value->empty()) return true;
    if (*value == "false") return false;
    throw bad_value(name, *value, "true or false");
}

std::optional<std::uint64_t> Query::number(std::string_view name, std::uint64_t least,
                                           std::uint64_t most) const {
    const auto value = one(name);
    if (!value) return std::nullopt;
    const auto number = parse_u64(*value);
    if (!number || *number < least || *number > most)
        throw bad_value(name, *value, fmt::format("a whole number from {} to {}", least, most));
    return number;
}

std::optional<std::int64_t> Query::milliseconds(std::string_view name,
                                                std::uint64_t most_seconds) const {
    const auto value = one(name);
    if (!value) return std::nullopt;
    double seconds = -1;
    const char* const end = value->data() + value->size();
    const auto [stop, error] =
        std::from_chars(value->data(), end, seconds, std::chars_format::fixed);
    if (error != std::errc{} || stop != end || !(seconds >= 0) ||
        seconds > static_cast<double>(most_seconds))
        throw bad_value(name, *value,
                        fmt::format("a number of seconds from 0 to {}", most_seconds));
    return std::llround(seconds * 1000);
}

std::optional<std::string> Query::id(std::string_view name, std::string_view what) const {
    auto value = one(name);
    if (value) require_valid_id(*value, what);
    return value;
}

void require_no_query(const QueryParameters& parameters) {
    Query(parameters, {});
}

}  // namespace covey::daemon
