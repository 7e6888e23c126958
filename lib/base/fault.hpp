// Fault injection for tests: COVEY_FAIL_AT=launch.mount:3 makes the third pass of that named step
// fail with EIO. Compiled to nothing unless COVEY_FAULTS is on (presets dev, asan, tsan, coverage).
// Thread rule: single-threaded programs only.
#pragma once

#include <string_view>

namespace covey {

#ifdef COVEY_FAULTS
/// Throws Error::from_errno(EIO, "injected fault at", step) when it is this step's turn.
void fault_point(std::string_view step);
#else
inline void fault_point(std::string_view) {
}
#endif

}  // namespace covey
