// What the container of a record is right now, asked of the kernel: its init by pid and start time,
// the start gate, the freezer. Called by covey-runtime's commands and by coveyd.
// Thread rule: any thread. Blocks as procfs and cgroupfs do.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "core/container_record.hpp"
#include "core/facts.hpp"

#include <optional>

namespace covey::core {

/// A pidfd of exactly the process that the record means, while it lives; invalid when it has ended,
/// or is ending and never runs again (sys::is_ending), and for an intent.
[[nodiscard]] UniqueFd open_init(const ContainerRecord& record, FdRef proc);

/// The container's group, if it has one and it is there.
[[nodiscard]] std::optional<cgroup::Group> find_group(const cgroup::Host& host,
                                                      const ContainerRecord& record);

/// Of one whose init lives: created, running or paused. `folder` is the container's, with the gate.
[[nodiscard]] ContainerState state_of_living(FdRef folder,
                                             const std::optional<cgroup::Group>& group);

}  // namespace covey::core
