// Reads query parameters strictly: unknown ones, repeated ones and bad values are refused, all
// together. Called by the routes. Thread rule: a value. Does not block.
#pragma once

#include "api/target.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace covey::daemon {

class Query {
  public:
    /// Throws unknown_field unless every parameter is one of `known`. `parameters` is borrowed.
    Query(const QueryParameters& parameters, std::span<const std::string_view> known);

    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
    /// Throws invalid_argument when it is there more than once.
    [[nodiscard]] std::optional<std::string> one(std::string_view name) const;
    /// "true" or "false" (a bare name is true).
    [[nodiscard]] bool flag(std::string_view name, bool absent = false) const;
    [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name, std::uint64_t least,
                                                      std::uint64_t most) const;
    /// Seconds, also with a fraction, as milliseconds.
    [[nodiscard]] std::optional<std::int64_t> milliseconds(std::string_view name,
                                                           std::uint64_t most_seconds) const;
    /// An id, or nothing.
    [[nodiscard]] std::optional<std::string> id(std::string_view name, std::string_view what) const;

  private:
    const QueryParameters* parameters_;
};

/// For routes that take none.
void require_no_query(const QueryParameters& parameters);

}  // namespace covey::daemon
