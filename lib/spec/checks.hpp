// Rules for one text each, as the specification and the kernel have them. Internal to lib/spec.
// Thread rule: pure functions. Do not block.
#pragma once

#include <string_view>

namespace covey::spec {

/// Any byte below 0x20, or 0x7f.
[[nodiscard]] bool has_control(std::string_view text) noexcept;
[[nodiscard]] bool is_absolute(std::string_view path) noexcept;
/// Semantic versioning 2.0.0.
[[nodiscard]] bool is_semver(std::string_view text);
/// "0-3,7" as in cpuset(7), with the kernel's ":used/group" stride; numbers rise within a range.
[[nodiscard]] bool is_cpu_list(std::string_view text);
/// sysctl(8): tokens of letters, digits, '_' and '-', parted by dots or by slashes, which may hold
/// the other one's separator inside a token ("net/ipv4/conf/eth0.1/forwarding").
[[nodiscard]] bool is_sysctl_key(std::string_view key) noexcept;
/// "64KB", "2MB", "1GB": config-linux.md, huge page limits.
[[nodiscard]] bool is_hugepage_size(std::string_view text) noexcept;
/// One safe name in a folder: not empty, no '/', not "." or "..", no control bytes.
[[nodiscard]] bool is_file_name(std::string_view name) noexcept;

/// What the kernel takes as a network device's name (dev_valid_name) and not as a pattern.
[[nodiscard]] bool is_device_name(std::string_view name) noexcept;

}  // namespace covey::spec
