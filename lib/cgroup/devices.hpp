// Inside lib/cgroup and its tests only: device rules, normalised, and what each version of cgroups
// makes of them.
// What rules mean: for each of read, write and mknod that an access asks for, the last rule that
// speaks of that device decides; what no rule allows is denied. A request passes when all it asks
// for is allowed. Rules of the spec come first, the defaults last, as every OCI runtime has it.
// Thread rule: pure functions but for attach and write. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"

#include <linux/bpf.h>

namespace covey::cgroup {

inline constexpr std::uint32_t kMknod = BPF_DEVCG_ACC_MKNOD;
inline constexpr std::uint32_t kRead = BPF_DEVCG_ACC_READ;
inline constexpr std::uint32_t kWrite = BPF_DEVCG_ACC_WRITE;
inline constexpr std::uint32_t kAllAccess = kMknod | kRead | kWrite;

/// A checked rule. Type 'a' is block and character devices alike.
struct DeviceMatch {
    bool allow = false;
    char type = 'a';
    std::optional<std::uint32_t> major, minor;
    std::uint32_t access = kAllAccess;
    friend bool operator==(const DeviceMatch&, const DeviceMatch&) = default;

    /// Says something about every device.
    [[nodiscard]] bool is_for_all() const noexcept {
        return type == 'a' && !major && !minor && access == kAllAccess;
    }
};

/// Deny all, then `rules`, then the default devices; without what a later rule for all devices
/// overrules. Throws invalid_argument for a type, number or access that is none.
[[nodiscard]] std::vector<DeviceMatch> effective_rules(const std::vector<DeviceRule>& rules);

/// A BPF_PROG_TYPE_CGROUP_DEVICE program that decides as `rules` say. Short, because the verifier's
/// time for it (40 µs for two instructions, 220 µs for 57) is part of every container's start.
[[nodiscard]] std::vector<bpf_insn> compile_devices(const std::vector<DeviceMatch>& rules);
/// Loads the program, attaches it to the v2 group and detaches those that were attached before.
Result<void> attach_devices(FdRef group, const std::vector<bpf_insn>& program);
/// Detaches what attach_devices attached.
Result<void> detach_devices(FdRef group);

/// v1 knows "allow all but" and "deny all but", and no exceptions to exceptions.
struct DevicesV1 {
    bool allow_all = false;
    std::vector<DeviceMatch> exceptions;
};
/// Throws unsupported_by_host for rules that v1 cannot express.
[[nodiscard]] DevicesV1 devices_for_v1(const std::vector<DeviceMatch>& rules);
/// The same; nothing for such rules.
[[nodiscard]] std::optional<DevicesV1> express_on_v1(const std::vector<DeviceMatch>& rules);
/// The line for devices.allow or devices.deny: "c 1:3 rwm".
[[nodiscard]] std::string v1_line(const DeviceMatch& rule);
void write_devices_v1(FdRef group, const std::string& dir, const DevicesV1& devices);

}  // namespace covey::cgroup
