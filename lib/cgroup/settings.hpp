// Inside lib/cgroup and its tests only: limits as what is written into which control file. The two
// dialects (v1.cpp, v2.cpp) turn Limits into settings, limits.cpp writes them.
// Thread rule: pure but for the Reader. Does not block.
#pragma once

#include "cgroup/cgroup.hpp"

#include <functional>

namespace covey::cgroup {

/// The controllers for which Limits has fields. `io` is "blkio" in v1; the last two exist only
/// there.
enum class Controller { pids, memory, cpu, cpuset, io, hugetlb, rdma, net_cls, net_prio };
inline constexpr Controller kControllers[] = {
    Controller::pids,   Controller::memory,  Controller::cpu,
    Controller::cpuset, Controller::io,      Controller::hugetlb,
    Controller::rdma,   Controller::net_cls, Controller::net_prio};
enum class Version { v1, v2 };
[[nodiscard]] std::string_view controller_name(Controller controller, Version version) noexcept;
/// The first field of `limits` that needs the controller, as OCI calls it ("memory.limit"); empty
/// when none does.
[[nodiscard]] std::string field_for(Controller controller, const Limits& limits);

struct Setting {
    std::string file, value;
    std::string field;  // as OCI calls it, for errors
    /// The kernel may be built or booted without this file, and the value asks for nothing.
    bool may_be_missing = false;
    /// Write refused with EINVAL: try once more when the others are written (v1's period must fit
    /// the quota that is there, and the other way round; a burst its quota).
    bool may_come_later = false;
};

/// What a control file of the group holds now; nothing when it is not there.
using Reader = std::function<std::optional<std::string>(const std::string& file)>;

[[nodiscard]] std::vector<Setting> settings_v1(Controller controller, const Limits& limits,
                                               const Reader& current);
/// Throws invalid_argument for a wish that v2 cannot express.
[[nodiscard]] std::vector<Setting> settings_v2(Controller controller, const Limits& limits,
                                               const Reader& current);

/// The controllers of io_limits.cpp and other_limits.cpp, which both versions have.
[[nodiscard]] std::vector<Setting> io_settings(Version version, const IoLimits& io,
                                               const Reader& current);
[[nodiscard]] std::vector<Setting> hugetlb_settings(Version version, const Limits& limits);
[[nodiscard]] std::vector<Setting> rdma_settings(const Limits& limits);

/// OCI's cpu.shares 2…262144 on v2's cpu.weight 1…10000, by the curve that runc has since 1.3.2
/// and crun since 1.23.
[[nodiscard]] std::uint64_t weight_from_shares(std::uint64_t shares) noexcept;
/// OCI's blockIO.weight 10…1000 on v2's io.weight 1…10000, linear, as runc has it.
[[nodiscard]] std::uint64_t io_weight(std::uint16_t weight) noexcept;

}  // namespace covey::cgroup
