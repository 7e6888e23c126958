// GET /metrics: the text exposition format 0.0.4 of Prometheus. Thread rule: any thread. Does not
// block.
#pragma once

#include "api/http.hpp"
#include "api/metrics.hpp"

namespace covey::daemon {

[[nodiscard]] Response metrics_response(const Metrics& metrics);

}  // namespace covey::daemon
