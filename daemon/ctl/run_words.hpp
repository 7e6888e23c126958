// The words of `covey run` and `covey debug` that mean something in a container's configuration.
// Called by cmd_run.cpp and cmd_debug.cpp. Thread rule: pure functions but for the
// profile that is read. Do not block, but for that.
#pragma once

#include "bundle/default_spec.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace covey::ctl {

/// "type=bind,src=/a,dst=/b,ro": keys type (bind or tmpfs), src/source, dst/destination/target, ro,
/// and for tmpfs size and mode. Throws invalid_argument naming the key.
[[nodiscard]] bundle::ExtraMount parse_mount(std::string_view text);
/// "UID" or "UID:GID" (absent: 0). Throws invalid_argument: names would be looked up in the wrong
/// system's password file.
struct UserIds {
    std::uint32_t uid = 0, gid = 0;
};
[[nodiscard]] UserIds parse_user(std::string_view text);

/// Of --security-opt: "seccomp=unconfined" or "seccomp=FILE"; none: the default profile.
struct SeccompChoice {
    std::string name;    // "default", "unconfined" or the profile's absolute path
    std::string filter;  // JSON of linux.seccomp for these capabilities; empty: there is none
};
/// Reads the file. Throws invalid_argument for another option and for what is no profile.
[[nodiscard]] SeccompChoice choose_seccomp(const std::vector<std::string>& options,
                                           const std::vector<std::string>& capabilities);
/// Covey's default capabilities with those of --cap-add and without those of --cap-drop, all named
/// "CAP_…"; names that are none are left to the API to refuse.
[[nodiscard]] std::vector<std::string> capabilities_with(const std::vector<std::string>& added,
                                                         const std::vector<std::string>& dropped);

/// "90", "90s", "15m", "1h", "1h30m" → seconds. Throws invalid_argument.
[[nodiscard]] std::uint64_t parse_duration(std::string_view text);

}  // namespace covey::ctl
