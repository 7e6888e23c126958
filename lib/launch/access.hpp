// The Landlock domain of a container whose access is restricted, and the process that launches
// later execs from inside it: a domain can only be inherited. docs/LAUNCH.md, "Access". Called by
// the launcher. Thread rule: single-threaded. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "spec/access.hpp"
#include "spec/tables.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace covey::launch {

/// The domain's LANDLOCK_SCOPE_… bits; 0: none, for the access is open or the PID namespace alone
/// keeps it. `pid_namespace`: the one that is joined or nested in, or invalid. Throws
/// unsupported_by_host where the kernel cannot keep it, and invalid_argument where the container
/// would have a number for the spawner, which is in the same domain with all of the host's rights.
/// Appends what it costs.
[[nodiscard]] std::uint64_t domain_scope(spec::PidMode mode, const spec::Access& access,
                                         FdRef pid_namespace, std::vector<std::string>& warnings);

/// Where and how the spawner runs.
struct SpawnerInput {
    /// Does not return; `control` is its end of the socket to the parent. Empty: no spawner.
    std::function<void(FdRef control)> run;
    FdRef cgroup{-1};  // of the parent itself, where it is no process of the container's
};

/// Enters the domain and leaves a spawner in it, the parent's child.
void enter_domain(std::uint64_t scope, const SpawnerInput& spawner, FdRef channel);

}  // namespace covey::launch
