// AppArmor profile and SELinux label of a process, for its next execve(2). Called by the launcher
// and by init. Thread rule: single-threaded. Does not block.
#pragma once

#include "plan/plan.hpp"

#include <string>

namespace covey::launch {

/// The kernel has the module, and switched on.
[[nodiscard]] bool has_apparmor();
[[nodiscard]] bool has_selinux();
/// Throws unsupported_by_host, in runc's words, for a label of a security module that this kernel
/// has not or has switched off.
void check_labels(const plan::ProcessPlan& process, const std::string& mount_label);
/// Written and read back. While the host's /proc is "/proc", in the process whose child or self
/// executes the container's program, after everything else that executes something.
void set_labels(const plan::ProcessPlan& process);

}  // namespace covey::launch
