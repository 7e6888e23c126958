// The sandbox container of a pod, as an engine names it in a container's annotations. Annotations
// may be a tenant's words, so the named one is believed only where the engine's own arrangement
// says the same: kind, engine, cgroup parent, and a namespace that both are in. Called by
// share_namespace. Thread rule: single-threaded. Blocks as procfs does.
#pragma once

#include "base/unique_fd.hpp"
#include "runtime/container_store.hpp"
#include "spec/tables.hpp"
#include "spec/types.hpp"

#include <string_view>

namespace covey::runtime {

/// Its PID namespace, for `mode`. Throws failed_precondition with the reason and the fix when there
/// is no such container in `store`, it has ended, or it is not this pod's sandbox.
[[nodiscard]] UniqueFd pid_namespace_of_sandbox(const spec::Spec& spec, spec::PidMode mode,
                                                const ContainerStore& store);

/// What a cgroupsPath has all containers of a pod in: its folder, or systemd's slice.
[[nodiscard]] std::string_view cgroup_parent(std::string_view cgroups_path);

}  // namespace covey::runtime
