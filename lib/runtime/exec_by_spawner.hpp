// An exec into a container with restricted access, from the side of who asked: this process only
// stands for the one that the container's spawner starts. With --detach a proxy of its own stands
// on: it is what the caller waits for and signals, and ends as the process does. Called by exec.
// Thread rule: single-threaded (it forks). Blocks until the process runs, without --detach until it
// has ended.
#pragma once

#include "core/container_record.hpp"
#include "runtime/console.hpp"
#include "runtime/container_store.hpp"

#include <string>
#include <vector>

namespace covey::runtime {

struct SpawnedExec {
    const core::ContainerRecord& record;
    /// The command line that the spawner is to execute; names in it are absolute.
    std::vector<std::string> words;
    bool detach = false;
    unsigned preserved_fds = 0;
    /// The process as JSON: it comes after the preserved ones. Invalid: the words say all.
    FdRef process{-1};
    /// Gets the proxy's number; without --detach the inner command writes the process's.
    const PidFile& pid_file;
};
/// The exit status for the command: what failed was printed by the inner one already.
[[nodiscard]] int exec_by_spawner(const ContainerFolder& folder, const SpawnedExec& exec);

}  // namespace covey::runtime
