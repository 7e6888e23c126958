// What a launch takes from the host, opened before any namespace is left: detached copies of the
// root's tree, of each bind source and of the null device. A clone by descriptor after the
// launcher's own unshare(CLONE_NEWNS) would be EINVAL. Called by the launcher. Blocks as
// open_tree(2) does.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "plan/plan.hpp"
#include "spec/access.hpp"
#include "sys/mount.hpp"

#include <map>
#include <string>
#include <vector>

namespace covey::launch {

/// A cgroup's folder as a detached tree, and what it is called below the target of the mount.
struct CgroupTree {
    std::string name;  // "": it is the target
    std::vector<std::string> links;
    UniqueFd tree;
};

struct Sources {
    UniqueFd root;                          // detached tree of the root filesystem
    std::map<std::size_t, UniqueFd> binds;  // operation number → detached tree
    /// Operation number → the group's folders, for cgroup mounts that bind them.
    std::map<std::size_t, std::vector<CgroupTree>> cgroups;
    /// Operation number → the host's node, for devices that cannot be made.
    std::map<std::size_t, UniqueFd> devices;
    UniqueFd null_device;  // for the first masked path; the others have copies of it
};

/// Throws not_found naming the path and what it is for, invalid_spec for a procfs of the host's
/// where `access` is restricted. `shown`: pidfd of the main process whose root a ShowRoot operation
/// shows; throws failed_precondition when it has ended. `user`: the user namespace that the
/// container joins.
[[nodiscard]] Sources open_sources(const plan::LaunchPlan& plan, const spec::Access& access,
                                   FdRef shown, FdRef user);
/// The source of a bind that is found in the container's root in its turn, by a descriptor of it.
[[nodiscard]] UniqueFd clone_inner(FdRef place, const plan::BindMount& bind);

/// The root of a mount namespace as a detached tree. `where`: its nsfs descriptor, or a pidfd of
/// whoever is in there. The caller enters it for that one call (only a mount of one's own namespace
/// can be cloned) and is back when this returns, with its root and working directory at "/".
[[nodiscard]] Result<UniqueFd> clone_root_of(FdRef where, sys::Recursive recursive);

/// The container gets a mount of its cgroup.
[[nodiscard]] bool lends_cgroup(const plan::LaunchPlan& plan);
/// For the cgroup mounts of the plan; the container's group is there.
void open_cgroups(const plan::LaunchPlan& plan, const cgroup::Host& host,
                  const cgroup::Placement& placement, Sources& sources);

}  // namespace covey::launch
