// coveyd as the kernel sees it, for GET /metrics. Thread rule: any thread. Reads /proc/self.
#pragma once

#include "api/metrics.hpp"

namespace covey::daemon {

/// Throws when /proc is not there.
[[nodiscard]] OwnProcess own_process();

}  // namespace covey::daemon
