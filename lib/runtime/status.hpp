// What a container is right now, asked of the kernel: its init by pid and start time, the start
// gate, the freezer. Called by state, list, start, kill, delete, exec. Thread rule:
// single-threaded. Blocks as procfs and cgroupfs do.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "runtime/container_store.hpp"
#include "runtime/record.hpp"

#include <optional>
#include <string_view>

namespace covey::runtime {

enum class Status { creating, created, running, paused, stopped };
[[nodiscard]] std::string_view status_name(Status status) noexcept;

struct ContainerView {
    ContainerRecord record;
    Status status = Status::stopped;
    /// Of init, while it lives; invalid when it has ended (a zombie has ended).
    UniqueFd init;
};

/// Throws what ContainerFolder::read throws. `cgroups` null: the host's are looked up when they
/// are needed.
[[nodiscard]] ContainerView look_at(const ContainerFolder& folder,
                                    const cgroup::Host* cgroups = nullptr);
/// The container's group, if it has one and it is there.
[[nodiscard]] std::optional<cgroup::Group> find_group(const cgroup::Host& host,
                                                      const ContainerRecord& record);

}  // namespace covey::runtime
