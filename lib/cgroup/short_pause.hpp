// Between two looks at what the kernel does at its own time: killing, freezing, removing.
// Thread rule: safe from any thread. Blocks for half a millisecond.
#pragma once

#include <ctime>

namespace covey::cgroup {

inline void short_pause() {
    const timespec time{0, 500'000};
    ::nanosleep(&time, nullptr);
}

}  // namespace covey::cgroup
