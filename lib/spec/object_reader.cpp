#include "spec/object_reader.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::spec {
namespace {

using nlohmann::json;

std::string must_be(std::string_view wanted, const json& value) {
    return fmt::format("must be {}, not {}", wanted,
                       value.is_null() ? "null" : std::string_view{value.type_name()});
}

std::string range_text(auto least, auto most) {
    return fmt::format("an integer from {} to {}", least, most);
}

}  // namespace

std::optional<std::uint64_t> read_natural(const json& value, std::uint64_t least,
                                          std::uint64_t most, const Place& place,
                                          Collector& problems) {
    if (!value.is_number()) {
        problems.add(place, must_be(range_text(least, most), value));
        return std::nullopt;
    }
    const bool fits = value.is_number_unsigned() && value.get<std::uint64_t>() >= least &&
                      value.get<std::uint64_t>() <= most;
    if (!fits) {
        problems.add(place,
                     fmt::format("must be {}, not {}", range_text(least, most), value.dump()));
        return std::nullopt;
    }
    return value.get<std::uint64_t>();
}

ObjectReader::ObjectReader(const json& value, const Place& place, Collector& problems)
    : object_(value.is_object() ? &value : nullptr), place_(place), problems_(&problems) {
    if (object_ == nullptr) problems_->add(place_, must_be("an object", value));
}

const json* ObjectReader::find(std::string_view key, Need need) {
    if (object_ == nullptr) return nullptr;
    const auto found = object_->find(key);
    if (found != object_->end() && !found->is_null()) return &*found;
    if (need == Need::required) problem(key, "is missing");
    return nullptr;
}

bool ObjectReader::text(std::string_view key, std::string& out, Need need) {
    const json* const value = find(key, need);
    if (value == nullptr) return false;
    if (!value->is_string()) {
        problem(key, must_be("a string", *value));
        return false;
    }
    out = value->get_ref<const std::string&>();
    return true;
}

bool ObjectReader::boolean(std::string_view key, bool& out, Need need) {
    const json* const value = find(key, need);
    if (value == nullptr) return false;
    if (!value->is_boolean()) {
        problem(key, must_be("true or false", *value));
        return false;
    }
    out = value->get<bool>();
    return true;
}

bool ObjectReader::boolean(std::string_view key, std::optional<bool>& out) {
    bool value = false;
    const bool good = boolean(key, value);
    if (good) out = value;
    return good;
}

bool ObjectReader::one_of(std::string_view key, std::string& out,
                          std::span<const std::string_view> names, std::string_view what,
                          Need need) {
    std::string value;
    if (!text(key, value, need)) return false;
    if (std::find(names.begin(), names.end(), value) == names.end()) {
        problem(key,
                fmt::format("unknown {} {}{}", what, quote(value), did_you_mean(value, names)));
        return false;
    }
    out = std::move(value);
    return true;
}

std::optional<std::uint64_t> ObjectReader::natural(std::string_view key, std::uint64_t least,
                                                   std::uint64_t most, Need need) {
    const json* const value = find(key, need);
    if (value == nullptr) return std::nullopt;
    return read_natural(*value, least, most, at(key), *problems_);
}

std::optional<std::int64_t> ObjectReader::integer(std::string_view key, std::int64_t least,
                                                  std::int64_t most, Need need) {
    const json* const value = find(key, need);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) {
        problem(key, must_be(range_text(least, most), *value));
        return std::nullopt;
    }
    constexpr auto kMostSigned =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const bool representable =
        value->is_number_integer() &&
        (!value->is_number_unsigned() || value->get<std::uint64_t>() <= kMostSigned);
    if (!representable || value->get<std::int64_t>() < least || value->get<std::int64_t>() > most) {
        problem(key, fmt::format("must be {}, not {}", range_text(least, most), value->dump()));
        return std::nullopt;
    }
    return value->get<std::int64_t>();
}

void ObjectReader::each(std::string_view key, const ElementReader& read) {
    const json* const value = find(key);
    if (value == nullptr) return;
    if (!value->is_array()) {
        problem(key, must_be("an array", *value));
        return;
    }
    const Place list = at(key);
    std::size_t index = 0;
    for (const json& element : *value) {
        read(element, Place{&list, index++});
    }
}

void ObjectReader::texts(std::string_view key, std::vector<std::string>& out,
                         const TextCheck& check) {
    each(key, [&](const json& element, const Place& place) {
        if (!element.is_string()) {
            problems_->add(place, must_be("a string", element));
            return;
        }
        out.push_back(element.get_ref<const std::string&>());
        if (check) check(out.back(), place);
    });
}

void ObjectReader::text_map(std::string_view key, std::map<std::string, std::string>& out) {
    const json* const value = find(key);
    if (value == nullptr) return;
    if (!value->is_object()) {
        problem(key, must_be("an object", *value));
        return;
    }
    const Place map = at(key);
    for (const auto& [name, element] : value->items()) {
        if (element.is_string()) {
            out.emplace(name, element.get_ref<const std::string&>());
        } else {
            problems_->add(Place{&map, name}, must_be("a string", element));
        }
    }
}

}  // namespace covey::spec
