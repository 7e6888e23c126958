// flock(2) of both kinds, with a limit in time and without a signal. Called by runtime. Thread
// rule: any thread. Blocks up to the limit.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <chrono>

namespace covey::sys {

enum class Lock { shared, alone };
/// Tried again every 2 ms; EWOULDBLOCK when others still have it after `limit`. Of the open file:
/// who inherits the descriptor has it too, until the last one is closed. One of the other kind that
/// it has is given up first.
Result<void> lock_file(FdRef file, Lock kind, std::chrono::milliseconds limit);

}  // namespace covey::sys
