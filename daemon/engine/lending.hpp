// What a debugger lends. It has more in sight than its neighbours: the target's root at /target,
// the capabilities of its profile. Whoever may inspect one of its processes gets the same through
// /proc/PID/root, or by ptrace(2); Landlock holds back only those inside a domain, so an open
// neighbour may (docs/decisions/018). Called before a container starts and before an exec. Thread
// rule: the engine's thread. Blocks as /proc does, and only where there is a debugger.
#pragma once

#include "engine/state.hpp"

namespace covey::daemon {

/// `starting` is created or runs. Throws failed_precondition naming debugger, neighbour and remedy
/// when with it somebody in the pod could get what it cannot reach by itself.
void refuse_lending(const EngineState& state, const SandboxEntry& sandbox,
                    const ContainerEntry& starting, const ExecRights& rights = {});

}  // namespace covey::daemon
