// Inside lib/cgroup and its tests only: limits as what is written into which control file. The two
// dialects (v1.cpp, v2.cpp) turn Limits into settings, limits.cpp writes them.
// Thread rule: pure but for the Reader. Does not block.
#pragma once

#include "cgroup/cgroup.hpp"

#include <functional>

namespace covey::cgroup {

/// The controllers for which Limits has fields.
enum class Controller { pids, memory, cpu, cpuset };
inline constexpr Controller kControllers[] = {Controller::pids, Controller::memory, Controller::cpu,
                                              Controller::cpuset};
[[nodiscard]] std::string_view controller_name(Controller controller) noexcept;
/// The first field of `limits` that needs the controller, as OCI calls it ("memory.limit"); empty
/// when none does.
[[nodiscard]] std::string_view field_for(Controller controller, const Limits& limits) noexcept;

struct Setting {
    std::string file, value;
    std::string field;  // as OCI calls it, for errors
    /// The kernel may be built or booted without this file, and the value asks for nothing.
    bool may_be_missing = false;
    /// Write refused with EINVAL: write the next setting first, then this again (v1's period must
    /// fit the quota that is there, and the other way round).
    bool may_swap_with_next = false;
};

/// What a control file of the group holds now; nothing when it is not there.
using Reader = std::function<std::optional<std::string>(const std::string& file)>;

[[nodiscard]] std::vector<Setting> settings_v1(Controller controller, const Limits& limits,
                                               const Reader& current);
/// Throws invalid_argument for a wish that v2 cannot express.
[[nodiscard]] std::vector<Setting> settings_v2(Controller controller, const Limits& limits,
                                               const Reader& current);

/// OCI's cpu.shares 2…262144 on v2's cpu.weight 1…10000, linear, as every OCI runtime has it.
[[nodiscard]] std::uint64_t weight_from_shares(std::uint64_t shares) noexcept;

}  // namespace covey::cgroup
