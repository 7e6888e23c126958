// Tables of values and their names, as arrays of pairs.
// Thread rule: safe from any thread. Never blocks.
#pragma once

#include <string_view>

namespace covey::core {

/// "unknown" for a value that is not in the table.
template <typename Table, typename Value>
std::string_view name_in(const Table& table, Value wanted) noexcept {
    for (const auto& [value, name] : table)
        if (value == wanted) return name;
    return "unknown";
}

}  // namespace covey::core
