// Reads a request's JSON body strictly: unknown fields and wrong types are noted with their JSON
// pointers and thrown all together. Called by the codecs.
// Thread rule: values, one thread. Does not block.
#pragma once

#include "covey/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace covey::daemon {

/// What is wrong with a body so far.
class BodyProblems {
  public:
    void add_unknown(std::string message) { unknown_.push_back(std::move(message)); }
    /// "" is the body itself. `fix` of the first one that has any becomes the error's.
    void add(std::string_view pointer, std::string_view message, std::string fix = {});
    /// Throws unknown_field when nothing else is wrong, else invalid_argument.
    void throw_if_any() const;

  private:
    std::vector<std::string> unknown_, invalid_;
    std::string fix_;
};

/// Strict JSON (spec/json_reader.hpp); an empty text is an empty object. Throws invalid_argument.
[[nodiscard]] nlohmann::json parse_body(std::string_view text);

/// Of an absolute path in a request: PATH_MAX without the ending zero.
inline constexpr std::size_t kLongestPath = 4095;

/// One object of the body. null counts as absent.
class BodyReader {
  public:
    /// Notes every field that is not in `known`. Borrows all three.
    BodyReader(const nlohmann::json& value, std::string pointer, BodyProblems& problems,
               std::span<const std::string_view> known);

    [[nodiscard]] const nlohmann::json* find(std::string_view key) const;
    [[nodiscard]] std::string at(std::string_view key) const;
    void problem(std::string_view key, std::string_view message, std::string fix = {}) {
        problems_->add(at(key), message, std::move(fix));
    }
    [[nodiscard]] BodyProblems& problems() noexcept { return *problems_; }

    // Each is nothing when the field is absent or wrong; wrong ones are noted.
    std::optional<std::string> text(std::string_view key);
    std::optional<bool> flag(std::string_view key);
    std::optional<double> number(std::string_view key, double least, double most);
    std::vector<std::string> texts(std::string_view key);
    std::map<std::string, std::string> text_map(std::string_view key);

    void require(std::string_view key, std::string fix);

  private:
    const nlohmann::json* object_ = nullptr;
    std::string pointer_;
    BodyProblems* problems_;
};

}  // namespace covey::daemon
