// What is left to do in the process that becomes the container's (or the exec's) program: its
// session and streams, the start gate, seccomp, exec. In a PID namespace of its own it also makes
// the container's world and cuts its privileges, alone there; in the pod's it arrives with both
// done.
// Thread rule: single-threaded; ends by exec or _exit. Blocks at the gate.
#pragma once

#include "base/unique_fd.hpp"
#include "launch/nested.hpp"
#include "launch/stdio.hpp"
#include "launch/world.hpp"
#include "plan/plan.hpp"
#include "spec/types.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::launch {

struct InitInput {
    const plan::ProcessPlan* process = nullptr;
    std::string program;
    const Stdio* stdio = nullptr;
    FdRef terminal{-1};  // pty slave, instead of stdio
    FdRef channel{-1};   // the newborn's; close-on-exec: its end tells the parent of the exec
    FdRef gate{-1};      // the start FIFO, read-write; invalid: no gate (an exec)
    /// Not null: this process is alone in a new PID namespace and still has all privileges; it
    /// makes the container's world, `program` and `terminal` included.
    const World* unmade_world = nullptr;
    FdRef report{-1};  // FIFO for what goes wrong behind the gate; invalid: the channel alone
    unsigned preserved_fds = 0;
    bool plain_newlines = false;  // of the terminal
    /// Run behind the gate, in the container, with what is left of the privileges.
    const std::vector<spec::Hook>* start_hooks = nullptr;
    const HookState* hook_state = nullptr;
    /// Closed once the streams are in place: the wait at the gate may be long.
    std::vector<int> leftovers;
    /// Not null: PID 1 of a namespace inside the pod's, with all privileges yet.
    const NestedEnd* nested = nullptr;
    /// It was entered before the cut, by whoever cloned this process (of `nested`).
    bool is_in_working_directory = false;
    /// Executed instead of `program`, and not one of the root's; invalid: it is.
    FdRef program_file{-1};
};

/// Exit status when nothing could be executed, as shells and runc give it.
inline constexpr int kExitNotFound = 127, kExitNotExecutable = 126, kExitFailed = 1;

[[noreturn]] void run_init(const InitInput& input) noexcept;

}  // namespace covey::launch
