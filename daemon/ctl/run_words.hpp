// The words of `covey run` and `covey debug` that mean something in a container's configuration.
// Called by cmd_run.cpp and cmd_debug.cpp. Thread rule: pure functions. Do not block.
#pragma once

#include "bundle/default_spec.hpp"

#include <cstdint>
#include <string_view>

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

/// "90", "90s", "15m", "1h", "1h30m" → seconds. Throws invalid_argument.
[[nodiscard]] std::uint64_t parse_duration(std::string_view text);

}  // namespace covey::ctl
