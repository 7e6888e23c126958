#include "api/body_reader.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "spec/json_reader.hpp"
#include "spec/problem.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::daemon {
namespace {

using nlohmann::json;

/// RFC 6901: "~" and "/" in a key are escaped.
std::string escaped_key(std::string_view key) {
    std::string result;
    for (const char c : key) {
        if (c == '~')
            result += "~0";
        else if (c == '/')
            result += "~1";
        else
            result += c;
    }
    return result;
}

}  // namespace

void BodyProblems::add(std::string_view pointer, std::string_view message, std::string fix) {
    invalid_.push_back(fmt::format("{}: {}", pointer.empty() ? "the body" : pointer, message));
    if (fix_.empty()) fix_ = std::move(fix);
}

void BodyProblems::throw_if_any() const {
    if (unknown_.empty() && invalid_.empty()) return;
    std::vector<std::string> all = invalid_;
    all.insert(all.end(), unknown_.begin(), unknown_.end());
    Error error{invalid_.empty() ? Code::unknown_field : Code::invalid_argument, join(all, "; ")};
    if (!fix_.empty()) error.set_fix(fix_);
    if (all.size() > 1)
        for (auto& line : all)
            error.add_cause(std::move(line));
    throw error;
}

json parse_body(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return json::object();
    try {
        return spec::parse_strict(text, "the body");
    } catch (const spec::SpecError& error) {
        Error problem{Code::invalid_argument, error.detail()};
        problem.set_fix(
            "send one JSON object in UTF-8, without duplicate keys, at most 64 levels deep");
        for (const auto& cause : error.causes())
            problem.add_cause(cause);
        throw problem;
    }
}

BodyReader::BodyReader(const json& value, std::string pointer, BodyProblems& problems,
                       std::span<const std::string_view> known)
    : pointer_(std::move(pointer)), problems_(&problems) {
    if (!value.is_object()) {
        problems_->add(pointer_, "must be an object");
        return;
    }
    object_ = &value;
    for (const auto& [key, unused] : value.items()) {
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        problems_->add_unknown(fmt::format("unknown field '{}' in the body{}{}", key,
                                           pointer_.empty() ? "" : " at " + pointer_,
                                           did_you_mean(key, known)));
    }
}

const json* BodyReader::find(std::string_view key) const {
    if (object_ == nullptr) return nullptr;
    const auto found = object_->find(key);
    return found == object_->end() || found->is_null() ? nullptr : &*found;
}

std::string BodyReader::at(std::string_view key) const {
    return pointer_ + "/" + escaped_key(key);
}

std::optional<std::string> BodyReader::text(std::string_view key) {
    const json* const value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return value->get<std::string>();
    problem(key, "must be a string");
    return std::nullopt;
}

std::optional<bool> BodyReader::flag(std::string_view key) {
    const json* const value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    problem(key, "must be true or false");
    return std::nullopt;
}

std::optional<double> BodyReader::number(std::string_view key, double least, double most) {
    const json* const value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) {
        const double number = value->get<double>();
        if (number >= least && number <= most) return number;
    }
    problem(key, fmt::format("must be a number from {} to {}", least, most));
    return std::nullopt;
}

std::vector<std::string> BodyReader::texts(std::string_view key) {
    std::vector<std::string> result;
    const json* const value = find(key);
    if (value == nullptr) return result;
    if (!value->is_array()) {
        problem(key, "must be an array of strings");
        return result;
    }
    for (std::size_t i = 0; i < value->size(); ++i) {
        if ((*value)[i].is_string())
            result.push_back((*value)[i].get<std::string>());
        else
            problems_->add(fmt::format("{}/{}", at(key), i), "must be a string");
    }
    return result;
}

std::map<std::string, std::string> BodyReader::text_map(std::string_view key) {
    std::map<std::string, std::string> result;
    const json* const value = find(key);
    if (value == nullptr) return result;
    if (!value->is_object()) {
        problem(key, "must be an object of strings");
        return result;
    }
    for (const auto& [name, text] : value->items()) {
        if (text.is_string())
            result.emplace(name, text.get<std::string>());
        else
            problems_->add(at(key) + "/" + escaped_key(name), "must be a string");
    }
    return result;
}

void BodyReader::require(std::string_view key, std::string fix) {
    if (object_ != nullptr && find(key) == nullptr) problem(key, "is missing", std::move(fix));
}

}  // namespace covey::daemon
