// A procfs of a PID namespace that one is not in, on kernels whose procfs lacks `pidns=` (before
// Linux 6.18). Called by the interpreter of mount operations. Thread rule: single-threaded (it
// forks). Blocks until its two short-lived processes have ended.
#pragma once

#include "base/unique_fd.hpp"

namespace covey::launch {

/// A filesystem context of type "proc", good for one superblock. It is opened by a member of the
/// namespace that holds nothing else: no host descriptor, an empty root, and capabilities only over
/// a user namespace that was made for it (docs/decisions/006).
[[nodiscard]] UniqueFd open_proc_context(FdRef pid_namespace);

}  // namespace covey::launch
