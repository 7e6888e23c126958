// A pty for a process with `terminal: true`, from the container's own devpts instance.
// Called by the launcher and by exec. Thread rule: single-threaded. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "plan/plan.hpp"

namespace covey::launch {

struct Terminal {
    UniqueFd master;  // goes to the shim
    UniqueFd slave;   // becomes 0, 1, 2
};

/// Opens ptmx in `pts`, which is the container's /dev/pts (invalid: it has none; verified to be a
/// devpts before anything in it is opened), unlocks it, takes the slave by TIOCGPTPEER (no path of
/// the container is trusted), sets size and owner.
[[nodiscard]] Terminal open_terminal(FdRef pts, const plan::ProcessPlan& process);
/// The slave becomes 0, 1, 2 and the controlling terminal. In the process that will exec, after
/// setsid(2).
void install_terminal(FdRef slave, bool plain_newlines);

}  // namespace covey::launch
