// Inside lib/cgroup only: what the properties of v2 and those of v1 have in common.
// Thread rule: pure functions, but for the files of a group that is there. Do not block.
#pragma once

#include "cgroup/systemd.hpp"

#include <cstdint>
#include <limits>
#include <optional>

namespace covey::cgroup {

/// systemd's "no limit".
inline constexpr std::uint64_t kInfinity = std::numeric_limits<std::uint64_t>::max();

[[nodiscard]] UnitProperty number_property(const char* name, std::uint64_t value);
/// Microseconds of CPU time in a period of so many microseconds, absent: the usual one.
void add_bandwidth(std::vector<UnitProperty>& properties, std::uint64_t quota,
                   std::optional<std::uint64_t> period);
/// A number in a file of v1's cpu folder of the group; nothing for "-1" and without a group.
[[nodiscard]] std::optional<std::uint64_t> cpu_number(const Host& host, const Group* group,
                                                      const char* file);
[[nodiscard]] std::vector<UnitProperty> limit_properties_v1(const Limits& limits, const Host& host,
                                                            const Group* group);

}  // namespace covey::cgroup
