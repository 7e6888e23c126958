// The hooks that run when the container runs or is gone already: poststart and poststop
// (runtime.md, lifecycle 9 and 13). Called by start, run, delete and a create that is undone.
// Thread rule: single-threaded. Blocks until a hook ends.
#pragma once

#include "runtime/container_store.hpp"
#include "spec/types.hpp"

namespace covey::runtime {

/// The hooks of the configuration that the container was created with.
[[nodiscard]] spec::Hooks read_hooks(const ContainerFolder& folder);
/// Throws what the first that fails throws: then the container is to be stopped and destroyed.
void run_poststart_hooks(const spec::Hooks& hooks, const core::ContainerRecord& record);
/// One that fails is a warning, and the rest goes on.
void run_poststop_hooks(const spec::Hooks& hooks, const core::ContainerRecord& record);

}  // namespace covey::runtime
