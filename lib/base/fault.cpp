#include "base/fault.hpp"

#ifdef COVEY_FAULTS
#include "base/text.hpp"
#include "covey/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>

namespace covey {

void fault_point(std::string_view step) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): single-threaded programs only, see the header
    static const std::string wanted = [] {
        const char* value = std::getenv("COVEY_FAIL_AT");
        return std::string{value != nullptr ? value : ""};
    }();
    if (wanted.empty()) return;
    static std::uint64_t passes = 0;
    const auto colon = wanted.rfind(':');
    const auto name = std::string_view{wanted}.substr(0, colon);
    if (name != step) return;
    const auto turn = colon == std::string::npos
                          ? 1
                          : parse_u64(std::string_view{wanted}.substr(colon + 1)).value_or(1);
    if (++passes == turn) throw Error::from_errno(EIO, "injected fault at", step);
}

}  // namespace covey
#endif
