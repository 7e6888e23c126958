// Capability names of requests ↔ masks. Used by container_codec and exec_request.
// Thread rule: pure functions. Do not block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace covey::daemon {

/// The bit of "SYS_PTRACE" or "CAP_SYS_PTRACE".
[[nodiscard]] std::optional<std::uint64_t> capability_bit(std::string_view name);
/// "unknown capability 'SYS_PTRAC' (did you mean 'CAP_SYS_PTRACE'?)".
[[nodiscard]] std::string unknown_capability(std::string_view name);

}  // namespace covey::daemon
