// The environment that this process was given. Called by launch. Thread rule: single-threaded. Does
// not block.
#pragma once

namespace covey::sys {

/// Overwrites it where it lies in memory, and has none from then on: before a copy of this process
/// is where somebody may read its memory. Copies elsewhere are left as they are.
void forget_environment() noexcept;

}  // namespace covey::sys
