// Where the program will stand (process.cwd). Engines and other runtimes enter it before the
// privileges go, so a folder that the container's own user may not enter will do; and again with
// his, for a folder that only he may enter (root squash). Never outside the root: before the cut it
// is found by the resolver, later it is asked of the kernel. Thread rule: single-threaded. Blocks
// as the filesystem does.
#pragma once

#include "plan/plan.hpp"

namespace covey::launch {

/// Before the cut, and before any filter is loaded; after the pivot. False: not possible (yet);
/// then enter_working_directory() has to follow the cut. Throws invalid_spec for a folder outside
/// the root.
[[nodiscard]] bool enter_working_directory_early(const plan::ProcessPlan& process);
/// With the process's own rights; checked to be in the root.
void enter_working_directory(const plan::ProcessPlan& process);

}  // namespace covey::launch
