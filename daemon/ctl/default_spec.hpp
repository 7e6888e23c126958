// The OCI configuration that `covey run --rootfs` writes: what `runc spec` says, with Podman's
// default capabilities. Called by cmd_run.cpp. Thread rule: pure functions. Do not block.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace covey::ctl {

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
};

/// config.json, indented.
[[nodiscard]] std::string default_spec(const SpecWish& wish);

/// "type=bind,src=/a,dst=/b,ro": keys type (bind or tmpfs), src/source, dst/destination/target, ro,
/// and for tmpfs size and mode. Throws invalid_argument naming the key.
[[nodiscard]] ExtraMount parse_mount(std::string_view text);
/// "UID" or "UID:GID" (absent: 0). Throws invalid_argument: names would be looked up in the wrong
/// system's password file.
struct UserIds {
    std::uint32_t uid = 0, gid = 0;
};
[[nodiscard]] UserIds parse_user(std::string_view text);

}  // namespace covey::ctl
