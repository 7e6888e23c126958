// Wall clock for records and answers; logic uses Loop's steady clock. Thread rule: any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace covey::task {

[[nodiscard]] inline std::int64_t unix_microseconds() {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace covey::task
