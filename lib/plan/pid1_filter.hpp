// The filter of `pid1Signals: route`: kill(2), tkill(2) and tgkill(2) with number 1 and a signal
// ask whoever has the listener, everything else is allowed. A signal by pidfd, or by sigqueue(3),
// is not among them. Thread rule: pure function.
#pragma once

#include "plan/plan.hpp"

#include <optional>

struct seccomp_data;

namespace covey::plan {

/// For the native architecture; calls of another one are allowed as they are.
[[nodiscard]] SeccompFilter pid1_filter();

/// What a call that the filter asks about wants. Nothing: it is none of those calls.
struct Pid1Call {
    int signal = 0;
};
[[nodiscard]] std::optional<Pid1Call> pid1_call(const seccomp_data& call);

}  // namespace covey::plan
