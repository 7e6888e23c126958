// Seccomp filters of Covey's own, which a process has besides its profile's. Thread rule: pure
// functions.
#pragma once

#include "plan/plan.hpp"

#include <optional>

struct seccomp_data;

namespace covey::plan {

/// `pid1Signals: route`: kill(2), tkill(2) and tgkill(2) with number 1 and a signal ask whoever has
/// the listener, everything else is allowed. A signal by pidfd, or by sigqueue(3), is not among
/// them. For the native architecture; calls of another one are allowed as they are.
[[nodiscard]] SeccompFilter pid1_filter();

/// What a call that the filter asks about wants. Nothing: it is none of those calls.
struct Pid1Call {
    int signal = 0;
};
[[nodiscard]] std::optional<Pid1Call> pid1_call(const seccomp_data& call);

/// `signal: own`: prlimit(2) that sets a limit of another number than 0 is EPERM. No domain of
/// Landlock's holds it back between equal users, and a limit of processor time kills. A process's
/// own children are among the refused: a filter cannot tell whose a number is.
[[nodiscard]] SeccompFilter neighbour_limits_filter();

/// `signal: own`: unshare(2) and clone(2) of a user namespace and every setns(2) are EPERM,
/// clone3(2) is ENOSYS. The owner of a user namespace mounts the cgroup file systems, whose files
/// move processes of an equal user into its own groups (v1; v2 without nsdelegate), and there they
/// stand still or end. setns(2) into any other namespace wants CAP_SYS_ADMIN, with which no
/// restriction goes.
[[nodiscard]] SeccompFilter user_namespaces_filter();

}  // namespace covey::plan
