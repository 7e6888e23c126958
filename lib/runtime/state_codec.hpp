// A container's state as the OCI specification's JSON: for `state`, `list` and the hooks' stdin.
// Thread rule: pure functions. Do not block.
#pragma once

#include "core/container_record.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::runtime {

/// Of the specification that is implemented, and so of the state.
inline constexpr std::string_view kOciVersion = "1.3.0";

/// One container as it is shown.
struct ShownState {
    const core::ContainerRecord* record = nullptr;
    std::string_view status;
    pid_t pid = 0;
    std::string owner;  // a name, or the number
};

/// The specification's five keys, compact: what hooks read.
[[nodiscard]] std::string encode_hook_state(const core::ContainerRecord& record,
                                            std::string_view status, pid_t pid);
/// What a seccomp agent gets beside a filter's listener (config-linux.md, "The Container Process
/// State"): about process `pid` of the container whose main process is `main`.
[[nodiscard]] std::string encode_process_state(const core::ContainerRecord& record,
                                               std::string_view status, pid_t main, pid_t pid,
                                               std::string_view metadata);
/// With rootfs, created and owner, indented.
[[nodiscard]] std::string encode_state(const ShownState& state);
[[nodiscard]] std::string encode_list(const std::vector<ShownState>& states);

}  // namespace covey::runtime
