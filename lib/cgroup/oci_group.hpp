// The group of an OCI runtime's container: at a path that an engine chose, in every v1 hierarchy as
// well, with `main` for its processes; or not at all, where that is legal. An absent group is an
// empty optional everywhere: nothing to join, to limit, to count or to freeze; such a container is
// killed by its init's pidfd, which takes its PID namespace along. Called by lib/runtime. Thread
// rule: as cgroup.hpp. Blocks: cgroupfs only.
#pragma once

#include "cgroup/cgroup.hpp"

#include <optional>
#include <string>
#include <vector>

namespace covey::cgroup {

/// `rootless`: not root in the initial user namespace, so cgroups may be somebody else's business.
enum class Rights { root, rootless };

/// Takes an empty group or makes it, with missing parents, and in each v1 hierarchy too. On failure
/// nothing is left but parents. Nothing: a rootless caller who may not make one, and `limits` ask
/// for nothing. With limits that is permission_denied. `host` outlives the group.
[[nodiscard]] std::optional<Group> make_container_group(const Host& host,
                                                        const Placement& placement, Rights rights,
                                                        const Limits& limits);
/// The group of a container that is there; nothing when it is gone.
[[nodiscard]] std::optional<Group> find_container_group(const Host& host,
                                                        const Placement& placement);

/// What is left of a group whose identity is gone, as systemd takes it away when a scope ends. No
/// process may be in it (failed_precondition).
void remove_remains(const Host& host, const Placement& placement);

/// Where the group's processes are: `main`, if it is there. The container's own to write to. As a
/// path below the mount, and absolute.
[[nodiscard]] std::string processes_path(const std::string& mount, const std::string& path);
[[nodiscard]] std::string processes_folder(const std::string& mount, const std::string& path);
/// A hierarchy as a container finds it below /sys/fs/cgroup.
struct GroupFolder {
    std::string name;                // "cpu,cpuacct", "systemd"; "unified" is the v2 tree
    std::vector<std::string> links;  // "cpu", "cpuacct": other names for it
    std::string dir;                 // that of its processes, on the host
};
/// One for each v1 hierarchy in which the group is, and for the v2 tree; sorted by name.
[[nodiscard]] std::vector<GroupFolder> group_folders(const Host& host, const Placement& placement);

}  // namespace covey::cgroup
