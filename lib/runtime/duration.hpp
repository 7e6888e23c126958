// Times on the command line, as Go writes them. Thread rule: pure functions. Do not block.
#pragma once

#include <chrono>
#include <string_view>

namespace covey::runtime {

/// "5s", "1m30s", "1.5h", "500ms". Throws invalid_argument naming the flag, also for less than a
/// millisecond or more than a day.
[[nodiscard]] std::chrono::milliseconds parse_duration(std::string_view text,
                                                       std::string_view flag);

}  // namespace covey::runtime
