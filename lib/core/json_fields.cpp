#include "core/json_fields.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace covey::core {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string to_hex(std::string_view bytes) {
    std::string result;
    result.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        result += kHexDigits[value >> 4U];
        result += kHexDigits[value & 15U];
    }
    return result;
}

std::optional<std::string> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return {};
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t at = 0; at < text.size(); at += 2) {
        const auto high = kHexDigits.find(text[at]);
        const auto low = kHexDigits.find(text[at + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) return {};
        bytes += static_cast<char>(high << 4U | low);
    }
    return bytes;
}

std::optional<std::string> text_of(const Json& value) {
    if (value.is_string()) return value.get_ref<const std::string&>();
    if (!value.is_object() || value.size() != 1) return {};
    const auto hex = value.find("hex");
    if (hex == value.end() || !hex->is_string()) return {};
    return from_hex(hex->get_ref<const std::string&>());
}

}  // namespace

Json parse_object(std::string_view text, std::string_view what) {
    Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded() || !json.is_object())
        throw Error(Code::invalid_argument, std::string{what} + " is not a JSON object")
            .with_fix(
                "the two sides must be of one Covey version: compare `covey version` with "
                "`covey-shim --version`");
    return json;
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

Json text_json(const std::string& text) {
    if (is_utf8(text)) return text;
    return Json{{"hex", to_hex(text)}};
}

Json texts_json(const std::vector<std::string>& texts) {
    Json list = Json::array();
    for (const auto& text : texts)
        list.push_back(text_json(text));
    return list;
}

Json text_map_json(const std::map<std::string, std::string>& texts) {
    Json object = Json::object();
    for (const auto& [key, text] : texts)
        object[key] = text_json(text);
    return object;
}

Json id_mappings_json(const std::vector<spec::IdMapping>& maps) {
    Json list = Json::array();
    for (const auto& map : maps)
        list.push_back(
            Json{{"containerID", map.container_id}, {"hostID", map.host_id}, {"size", map.size}});
    return list;
}

Fields::Fields(const Json& object, std::string path) : object_(&object), path_(std::move(path)) {
    if (!object.is_object())
        throw Error(Code::invalid_argument, "field '" + path_ + "' must be an object");
}

const Json* Fields::find(const char* key) {
    asked_.emplace_back(key);
    const auto found = object_->find(key);
    return found == object_->end() || found->is_null() ? nullptr : &*found;
}

const Json& Fields::required(const char* key) {
    const Json* value = find(key);
    if (value == nullptr)
        throw Error(Code::invalid_argument, "field '" + path_of(key) + "' is missing");
    return *value;
}

Fields Fields::object(const char* key) {
    return Fields{required(key), path_of(key)};
}

std::string Fields::text(const char* key) {
    auto text = text_of(required(key));
    if (!text) refuse(key, "a string");
    return *std::move(text);
}

bool Fields::flag(const char* key) {
    const Json& value = required(key);
    if (!value.is_boolean()) refuse(key, "true or false");
    return value.get<bool>();
}

std::vector<std::string> Fields::texts(const char* key) {
    const Json& list = required(key);
    if (!list.is_array()) refuse(key, "a list of strings");
    std::vector<std::string> result;
    result.reserve(list.size());
    for (const auto& value : list) {
        auto text = text_of(value);
        if (!text) refuse(key, "a list of strings");
        result.push_back(*std::move(text));
    }
    return result;
}

std::map<std::string, std::string> Fields::text_map(const char* key) {
    const Json& object = required(key);
    if (!object.is_object()) refuse(key, "an object of strings");
    std::map<std::string, std::string> result;
    for (const auto& [name, value] : object.items()) {
        auto text = text_of(value);
        if (!text) refuse(key, "an object of strings");
        result.emplace(name, *std::move(text));
    }
    return result;
}

std::vector<spec::IdMapping> Fields::id_mappings(const char* key) {
    std::vector<spec::IdMapping> result;
    const Json* const list = find(key);
    if (list == nullptr) return result;
    if (!list->is_array()) refuse(key, "a list of id mappings");
    for (const auto& value : *list) {
        Fields entry{value, path_of(key)};
        result.push_back({entry.number<std::uint32_t>("containerID"),
                          entry.number<std::uint32_t>("hostID"),
                          entry.number<std::uint32_t>("size")});
        entry.refuse_others();
    }
    return result;
}

std::int64_t Fields::signed_number(const char* key, std::int64_t least, std::int64_t most) {
    const Json& value = required(key);
    if (!value.is_number_integer()) refuse(key, "an integer");
    if (value.is_number_unsigned() &&
        std::cmp_greater(value.get<std::uint64_t>(), std::numeric_limits<std::int64_t>::max()))
        refuse(key, "within its range");
    const auto number = value.get<std::int64_t>();
    if (number < least || number > most) refuse(key, "within its range");
    return number;
}

std::uint64_t Fields::unsigned_number(const char* key, std::uint64_t most) {
    const Json& value = required(key);
    // A JSON value made from a signed C++ integer counts as signed, a parsed one never does.
    if (!value.is_number_integer() ||
        (!value.is_number_unsigned() && value.get<std::int64_t>() < 0))
        refuse(key, "an integer, not negative");
    const auto number = value.get<std::uint64_t>();
    if (number > most) refuse(key, "within its range");
    return number;
}

std::string Fields::path_of(std::string_view key) const {
    return path_.empty() ? std::string{key} : path_ + "." + std::string{key};
}

void Fields::refuse(std::string_view key, std::string_view wanted) const {
    throw Error(Code::invalid_argument,
                "field '" + path_of(key) + "' must be " + std::string{wanted});
}

void Fields::refuse_others() const {
    for (const auto& item : object_->items())
        if (std::find(asked_.begin(), asked_.end(), item.key()) == asked_.end())
            throw Error(Code::unknown_field, "unknown field '" + path_of(item.key()) + "'" +
                                                 did_you_mean(item.key(), asked_));
}

}  // namespace covey::core
