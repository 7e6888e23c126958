// A loop that a case turns until what it waits for has come. Thread rule: the test thread.
#pragma once

#include "task/loop.hpp"

#include <chrono>
#include <functional>

namespace covey::test {

inline bool turn_until(task::Loop& loop, const std::function<bool()>& done) {
    constexpr std::chrono::seconds kLong{5};
    const auto deadline = task::Loop::Clock::now() + kLong;
    while (!done()) {
        if (task::Loop::Clock::now() > deadline) return false;
        loop.turn(std::chrono::milliseconds{20});
    }
    return true;
}

}  // namespace covey::test
