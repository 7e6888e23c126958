// Inside lib/cgroup only: signals to the processes of one group, and who is left of them.
// Thread rule: safe from any thread. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/turns.hpp"
#include "covey/error.hpp"

#include <chrono>
#include <set>
#include <string>

#include <sys/types.h>

namespace covey::cgroup {

/// `signal` to some of the processes of this one group that are not in `told`, each by a pidfd, to
/// whole thread groups: one whose first thread has ended gets it in another. A number that the
/// group lists before and after its pidfd was opened is that process's, whatever is in /proc. Who
/// was dealt with is added to `told`; false: nobody is left but those whom it `spares`.
[[nodiscard]] bool signal_some(FdRef group, int signal, std::set<pid_t>& told,
                               const Spares& spares = {});

/// "process 4711 (sh), state D, waits in nfs_wait_bit_killable": a thread of it that lives, what it
/// does in the kernel, its name with control and foreign bytes escaped. Empty when it has ended.
[[nodiscard]] std::string describe_process(pid_t pid);

/// Who is left of a group after its end has taken that long: Code::timeout.
[[nodiscard]] Error not_empty(const Group& group, std::chrono::milliseconds limit);

}  // namespace covey::cgroup
