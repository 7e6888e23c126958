// What a container is right now, asked of the kernel: its init by pid and start time, the start
// gate, the freezer. Called by state, list, start, kill, delete, exec. Thread rule:
// single-threaded. Blocks as procfs and cgroupfs do.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "core/container_record.hpp"
#include "core/facts.hpp"
#include "runtime/container_store.hpp"

namespace covey::runtime {

struct ContainerView {
    core::ContainerRecord record;
    core::ContainerState state = core::ContainerState::stopped;
    /// Of init, while it lives; invalid when it has ended (a zombie has ended).
    UniqueFd init;
};

/// Throws what ContainerFolder::read throws. `cgroups` null: the host's are looked up when they
/// are needed.
[[nodiscard]] ContainerView look_at(const ContainerFolder& folder,
                                    const cgroup::Host* cgroups = nullptr);

}  // namespace covey::runtime
