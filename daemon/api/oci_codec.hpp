// POST /v1/sandboxes/{id}/oci: an OCI configuration, joined to a sandbox for any OCI runtime.
// Thread rule: pure function. Does not block.
#pragma once

#include "api/action.hpp"

#include <string>
#include <string_view>

namespace covey::daemon {

/// The same document in the same order; only linux.namespaces (pid, network, ipc, uts, time),
/// hostname and domainname differ. Throws invalid_argument, invalid_spec; failed_precondition for a
/// sandbox that is not ready.
[[nodiscard]] std::string join_oci_config(std::string_view config, const SandboxView& sandbox);

}  // namespace covey::daemon
