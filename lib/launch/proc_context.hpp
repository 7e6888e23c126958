// A procfs of a PID namespace that one is not in, on kernels whose procfs lacks `pidns=` (before
// Linux 6.18), and one where a user namespace has none in sight. Called by the interpreter of mount
// operations. Thread rule: single-threaded (it forks). Blocks until its two short-lived processes
// have ended.
#pragma once

#include "base/unique_fd.hpp"

#include <functional>

namespace covey::launch {

/// A filesystem context of type "proc", good for one superblock. It is opened by a member of the
/// namespace that holds nothing else: no host descriptor, an empty root, and capabilities only over
/// a user namespace that was made for it (docs/decisions/006).
[[nodiscard]] UniqueFd open_proc_context(FdRef pid_namespace);

/// Where a new procfs is allowed in a user namespace: the kernel wants a whole one in sight there
/// (mount_namespaces(7)), and after the pivot, or on a host that hides parts of its own, there is
/// none. Both are mount namespaces that belong to the user namespace.
struct ProcSight {
    UniqueFd keeper;  // in which a whole procfs is mounted
    UniqueFd home;    // the caller's own
    [[nodiscard]] bool valid() const noexcept { return keeper.valid() && home.valid(); }
};
/// What `make` returns when it is called in the keeper; the caller stands where it stood again.
[[nodiscard]] UniqueFd make_in_sight(const ProcSight& sight, const std::function<UniqueFd()>& make);

}  // namespace covey::launch
