#include "base/patience.hpp"

#ifdef COVEY_FAULTS
#include "base/text.hpp"

#include <algorithm>
#include <cstdlib>

namespace covey {

std::chrono::milliseconds patience(std::chrono::milliseconds bound) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): single-threaded programs only, see the header
    static const auto times = [] {
        const char* value = std::getenv("COVEY_PATIENCE");
        return std::max(parse_u32(value != nullptr ? value : "").value_or(1), 1U);
    }();
    return bound * times;
}

}  // namespace covey
#endif
