// A container's group as systemd's scope (`--systemd-cgroup`): which unit the configuration means,
// where its group is, and what systemd must know of the limits, so that it does not write other
// values over them at its next occasion. Pure data: who talks to systemd is covey-systemd.
// Called by lib/runtime. Thread rule: pure functions. Do not block.
#pragma once

#include "cgroup/cgroup.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace covey::cgroup {

/// Whose systemd: the host's, or that of the caller's login.
enum class Manager { system, user };

struct Scope {
    std::string slice;  // "system.slice"
    std::string name;   // "docker-1234.scope"
    Manager manager = Manager::system;
};

/// `linux.cgroupsPath` as engines write it for systemd: SLICE:PREFIX:NAME, the unit being
/// PREFIX-NAME.scope. Empty: covey-<id>.scope. An empty slice is system.slice, or user.slice for
/// the user's manager. Throws invalid_argument.
[[nodiscard]] Scope parse_scope(std::string_view cgroups_path, std::string_view id,
                                Manager manager);
/// Where a slice is below its manager's group: "/a.slice/a-b.slice" of "a-b.slice", "" of
/// "-.slice". Throws invalid_argument.
[[nodiscard]] std::string slice_path(std::string_view slice);

/// A property of a unit as covey-systemd takes it. Signature: D-Bus type "b" ("true", "false"),
/// "i", "t" (decimal), "s", "as" (a line each), "ay" (hexadecimal) or "a(ss)" (a line each, the two
/// words with a blank between them).
struct UnitProperty {
    std::string name, signature, value;
    friend bool operator==(const UnitProperty&, const UnitProperty&) = default;
};

/// What every scope of a container has: its slice, delegation, accounting, no dependencies of
/// systemd's own, and that it is forgotten when it has ended, well or not.
[[nodiscard]] std::vector<UnitProperty> scope_properties(const Scope& scope, std::string_view id,
                                                         Layout layout);
/// Those of the limits that systemd has a property for, of cgroup v2 or, where there are v1
/// hierarchies, of v1; the files have the exact values, which Group::apply() writes. `group` null:
/// a new one. Throws invalid_argument.
[[nodiscard]] std::vector<UnitProperty> limit_properties(const Limits& limits, const Host& host,
                                                         const Group* group = nullptr);
/// Asks for the group's CPU quota and period as they are where `limits` says nothing of them:
/// systemd, which keeps whole percents, writes its own over them with each property that is set.
void keep_bandwidth(Limits& limits, const Host& host, const Group& group);
/// The device rules where there is no v2 tree: systemd writes v1's devices files whenever it looks
/// at the unit, so they must be its own. Elsewhere nothing, for a program on the group says them
/// (DeviceRulesIn::program). Throws unsupported_by_host for rules that DeviceAllow= cannot say.
[[nodiscard]] std::vector<UnitProperty> device_properties(const std::vector<DeviceRule>& rules,
                                                          const Host& host);
/// Annotations org.systemd.property.NAME, values in GVariant's text format. Only properties that
/// concern the scope alone; any other is refused by name, for it could act on the host
/// (CVE-2024-3154: SuccessAction=poweroff). Throws invalid_argument.
[[nodiscard]] std::vector<UnitProperty> annotated_properties(
    const std::map<std::string, std::string>& annotations);

/// A list as cpuset has it ("0-2,7") as a bit mask, lowest byte first, in hexadecimal. Throws
/// invalid_argument naming `field`.
[[nodiscard]] std::string cpu_mask(std::string_view list, std::string_view field);

}  // namespace covey::cgroup
