// What a launch takes from the host, opened before any namespace is left: detached copies of the
// root's tree, of each bind source and of the null device. A clone by descriptor after the
// launcher's own unshare(CLONE_NEWNS) would be EINVAL. Called by the launcher. Blocks as
// open_tree(2) does.
#pragma once

#include "base/unique_fd.hpp"
#include "plan/plan.hpp"

#include <map>
#include <vector>

namespace covey::launch {

struct Sources {
    UniqueFd root;                          // detached tree of the root filesystem
    std::map<std::size_t, UniqueFd> binds;  // operation number → detached tree
    std::vector<UniqueFd> null_devices;     // one for each masked path, used up from the back
};

/// Throws not_found naming the path and what it is for.
[[nodiscard]] Sources open_sources(const plan::LaunchPlan& plan);

}  // namespace covey::launch
