// Inside lib/core's codecs only: strict reading of JSON objects, and writing that cannot throw.
// A field that is missing or has the wrong type is refused by its path ("config.stdio.in").
// A string that is not UTF-8 (an argument vector may hold any bytes) travels as {"hex": "…"}.
// Thread rule: pure functions and values. Do not block.
#pragma once

#include "spec/id_mappings.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace covey::core {

using Json = nlohmann::json;

/// Throws Code::invalid_argument unless `text` is one JSON object; `what` names it in the error.
[[nodiscard]] Json parse_object(std::string_view text, std::string_view what);
/// Compact. Bytes that are not UTF-8 are replaced: never throws for what a string holds.
[[nodiscard]] std::string dump(const Json& json);

[[nodiscard]] Json text_json(const std::string& text);
[[nodiscard]] Json texts_json(const std::vector<std::string>& texts);
[[nodiscard]] Json text_map_json(const std::map<std::string, std::string>& texts);

/// As the specification writes them: [{"containerID", "hostID", "size"}].
[[nodiscard]] Json id_mappings_json(const std::vector<spec::IdMapping>& maps);

/// One JSON object being read. Borrows the object. Each reader throws Code::invalid_argument.
class Fields {
  public:
    Fields(const Json& object, std::string path);

    /// nullptr when the field is absent or null.
    [[nodiscard]] const Json* find(const char* key);
    [[nodiscard]] const Json& required(const char* key);
    [[nodiscard]] Fields object(const char* key);
    [[nodiscard]] std::string text(const char* key);
    [[nodiscard]] bool flag(const char* key);
    [[nodiscard]] std::vector<std::string> texts(const char* key);
    [[nodiscard]] std::map<std::string, std::string> text_map(const char* key);
    /// Absent: none.
    [[nodiscard]] std::vector<spec::IdMapping> id_mappings(const char* key);
    template <typename Number>
    [[nodiscard]] Number number(const char* key) {
        using Limits = std::numeric_limits<Number>;
        if constexpr (std::is_signed_v<Number>)
            return static_cast<Number>(signed_number(key, Limits::min(), Limits::max()));
        else
            return static_cast<Number>(unsigned_number(key, Limits::max()));
    }

    /// "config.stdio" + key, for errors.
    [[nodiscard]] std::string path_of(std::string_view key) const;
    [[noreturn]] void refuse(std::string_view key, std::string_view wanted) const;
    /// Throws Code::unknown_field for a field that nobody has asked for so far.
    void refuse_others() const;

  private:
    [[nodiscard]] std::int64_t signed_number(const char* key, std::int64_t least,
                                             std::int64_t most);
    [[nodiscard]] std::uint64_t unsigned_number(const char* key, std::uint64_t most);

    const Json* object_;
    std::string path_;
    std::vector<std::string_view> asked_;
};

}  // namespace covey::core
