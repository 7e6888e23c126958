// The container's world from its attached root to the pivot: the plan's operations, the creation
// hooks, the program's file, labels, protections. Run by the launcher where the container joins a
// PID namespace that others are in, so that nobody sees it half done; by init where it is alone in
// a new one, whose procfs can only be made in there (and is then mounted in the spec's order).
// Thread rule: single-threaded programs. Blocks as mounts and hooks do.
#pragma once

#include "base/unique_fd.hpp"
#include "launch/hooks.hpp"
#include "launch/root_builder.hpp"
#include "plan/plan.hpp"
#include "spec/types.hpp"

#include <string>

#include <sys/types.h>

namespace covey::launch {

struct World {
    RootBuilder* root = nullptr;
    plan::ProcessPlan* process = nullptr;  // gets its HOME
    const spec::Hooks* hooks = nullptr;
    const HookState* hook_state = nullptr;
    FdRef channel{-1};          // the maker's
    bool finds_program = true;  // else it is not one of the root's
};

/// Returns the path of the program to execute, inside the new root, which is "/" now (nothing when
/// it is not the root's).
[[nodiscard]] std::string make_world(const World& world);

}  // namespace covey::launch
