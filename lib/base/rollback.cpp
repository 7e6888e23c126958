#include "base/rollback.hpp"

namespace covey {

void Rollback::run() noexcept {
    while (!undo_.empty()) {
        const auto undo = std::move(undo_.back());
        undo_.pop_back();
        try {
            undo();
        } catch (...) {  // NOLINT(bugprone-empty-catch): the first error is the one to report
        }
    }
}

}  // namespace covey
