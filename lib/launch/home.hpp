// HOME as the container's own user database has it, which engines leave to the runtime. The
// database is the container's to write: it is looked at within the root, and only a regular file,
// of which no more than a bounded part is read. Called by the launcher before the pivot, by an
// exec's after it has joined. Thread rule: any thread. Blocks as a read of that file does.
#pragma once

#include "base/unique_fd.hpp"
#include "plan/plan.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace covey::launch {

/// passwd(5): the home folder of the first entry with that number, or nothing. One that is empty,
/// or has control characters in it, is nothing as well.
[[nodiscard]] std::optional<std::string> home_in(std::string_view passwd, uid_t uid);

/// Gives the process the HOME of its uid in /etc/passwd below `root`, where it has none or an empty
/// one; "/" where that file says nothing of it. Never fails.
void complete_home(plan::ProcessPlan& process, FdRef root);

}  // namespace covey::launch
