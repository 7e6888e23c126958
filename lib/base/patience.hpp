// Bounds of milliseconds, for tests on emulated processors: COVEY_PATIENCE=50 makes each fifty
// times as long. Compiled to nothing unless COVEY_FAULTS is on (presets dev, asan, tsan, coverage).
// Thread rule: single-threaded programs only.
#pragma once

#include <chrono>

namespace covey {

#ifdef COVEY_FAULTS
[[nodiscard]] std::chrono::milliseconds patience(std::chrono::milliseconds bound);
#else
[[nodiscard]] constexpr std::chrono::milliseconds patience(std::chrono::milliseconds bound) {
    return bound;
}
#endif

}  // namespace covey
