// Seccomp profiles as Docker and Podman write them (rules for some capabilities, architectures and
// kernels only), resolved to what OCI's linux.seccomp has: for one process, here. Called by `covey
// run` and, for debuggers, by the engine. Thread rule: pure functions. Do not block.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace covey::bundle {

/// Covey's default (seccomp.json), as it is compiled in.
[[nodiscard]] std::string_view default_profile() noexcept;

/// JSON of linux.seccomp for a process that may have `capabilities` ("CAP_CHOWN") on this machine.
/// A profile without conditions, OCI's own form, comes out as it is. Throws invalid_argument,
/// calling it `name`, for what is no profile.
[[nodiscard]] std::string resolve_seccomp(std::string_view profile,
                                          const std::vector<std::string>& capabilities,
                                          std::string_view name);

}  // namespace covey::bundle
