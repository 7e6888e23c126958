// Opening a created container's gate. Called by start and run. Thread rule: single-threaded. Blocks
// until init has executed the container's program, or could not.
#pragma once

#include "core/container_record.hpp"
#include "runtime/container_store.hpp"

namespace covey::runtime {

/// The folder is locked and init waits at the gate. Throws what init says when it cannot execute
/// the program.
void start_container(const ContainerFolder& folder, const core::ContainerRecord& record);
/// Once it has been started. Throws when one fails: the caller then destroys the container.
void run_due_poststart_hooks(const ContainerFolder& folder, const core::ContainerRecord& record);

}  // namespace covey::runtime
