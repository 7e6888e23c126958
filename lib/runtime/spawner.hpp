// The spawner of a container with restricted access: a process in the container's Landlock domain,
// which can only be inherited, outside its namespaces and its cgroup, and in no sight of them. It
// starts the execs that `covey-runtime exec` asks for at a socket in the state folder (seat.hpp),
// and ends with the container's init. It is this program once more, so that it keeps nothing of the
// launch in memory. docs/decisions/014. Thread rule: single-threaded. Blocks as each function says.
#pragma once

#include "base/unique_fd.hpp"
#include "core/container_record.hpp"
#include "launch/hand_shake.hpp"

#include <string_view>

namespace covey::runtime {

/// argv[0] of a spawner: main calls run_spawner() for it.
inline constexpr std::string_view kSpawnerName = "covey:spawner";
inline constexpr std::string_view kSpawnerSocket = "spawner.sock";

/// In a process that was forked for it, in the domain; does not return.
[[noreturn]] void become_spawner(FdRef control) noexcept;
/// The whole program; returns its exit status. Blocks until init has ended.
[[nodiscard]] int run_spawner();

/// In create: from now on the spawner takes execs, until `init` ends. Its identity goes into
/// `record`.
void put_to_work(const launch::KeepSpawner& spawner, FdRef state_folder, FdRef init,
                 core::ContainerRecord& record);
/// The process that the record means, if it lives still: a pidfd, or invalid.
[[nodiscard]] UniqueFd open_spawner(const core::ContainerRecord& record);
/// In delete: kills it if it is there still, and waits for its end (at most 10 s).
void end_spawner(const core::ContainerRecord& record);

}  // namespace covey::runtime
