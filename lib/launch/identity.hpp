// The cut: from full privileges to exactly what the plan says, then read back and compared. Done
// outside the pod for a process that will be visible in it, so that nobody in there ever sees a
// process with more than its container has. Thread rule: single-threaded. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "plan/plan.hpp"

namespace covey::launch {

/// What init inherits and only the host's privileges can set, while its /proc is still there:
/// oom_score_adj, scheduler, I/O priority, and hard limits to be raised before a user namespace is
/// entered.
void use_host_privileges(const plan::ProcessPlan& process);
/// A scheduler that is not inherited; in the process that will exec, before its cut.
void set_own_scheduler(const plan::ProcessPlan& process);
/// execCPUAffinity of an exec; empty: nothing.
void set_cpus(const std::vector<unsigned>& cpus);
/// Without no_new_privs the container's filter is loaded before the cut, as that takes
/// CAP_SYS_ADMIN: what follows has to be allowed by it.
[[nodiscard]] bool is_filtered_early(const plan::ProcessPlan& process);
/// Limits, umask, seccomp (when it needs CAP_SYS_ADMIN), groups, ids, bounding and all capability
/// sets, no_new_privs, in this order. Throws naming the step; a rlimit that cannot be raised says
/// the present hard limit and the fix.
/// `channel` gets the listener of a filter that asks an agent.
void cut_privileges(const plan::ProcessPlan& process, FdRef channel);

}  // namespace covey::launch
