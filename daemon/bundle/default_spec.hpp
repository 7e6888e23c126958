// The OCI configuration of a container that is given as a root filesystem and a command: what
// `runc spec` says, with Podman's default capabilities. Called by `covey run` and, for debuggers,
// by the engine. Thread rule: pure functions. Do not block.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace covey::bundle {

inline constexpr std::array<std::string_view, 11> kDefaultCapabilities{
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",  "CAP_FSETID",           "CAP_KILL",
    "CAP_SETGID", "CAP_SETUID",       "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
    "CAP_SETFCAP"};

struct ExtraMount {
    std::string type, source, destination;
    std::vector<std::string> options;
};

struct SpecWish {
    std::string rootfs;  // absolute
    bool read_only = false;
    std::vector<std::string> args, env;
    std::string cwd = "/";
    std::uint32_t uid = 0, gid = 0;
    bool terminal = false;
    std::vector<ExtraMount> mounts;
    std::vector<std::string> capabilities{kDefaultCapabilities.begin(), kDefaultCapabilities.end()};
    /// linux.seccomp as JSON (seccomp_profile.hpp); empty: there is no filter.
    std::string seccomp;
    /// su and sudo shall work in a container, as they do with every engine's default.
    bool no_new_privileges = false;
};

/// config.json, indented. Throws invalid_argument for what is not UTF-8.
[[nodiscard]] std::string default_spec(const SpecWish& wish);

}  // namespace covey::bundle
