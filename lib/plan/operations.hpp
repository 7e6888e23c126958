// The operations that build a container's root, in the order in which lib/launch interprets them.
// Plain data: no descriptor, no privilege, printable. Every path below is inside the container's
// root unless it says "host". Thread rule: values.
#pragma once

#include "spec/linux_types.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace covey::plan {

/// MOUNT_ATTR_* bits for mount_setattr(2). `recursive_…` acts on the whole tree (OCI's "rro", …).
struct MountFlags {
    std::uint64_t set = 0, clear = 0;
    std::uint64_t recursive_set = 0, recursive_clear = 0;
    /// MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, or 0 to leave it; `propagation_recursive`
    /// is OCI's leading "r".
    std::uint64_t propagation = 0;
    bool propagation_recursive = false;
};

/// fsopen → fsconfig → fsmount → move_mount. A key without "=" in OCI's options has an empty value
/// and is set as a flag.
struct MountFilesystem {
    std::string type, source, target;
    std::vector<std::pair<std::string, std::string>> options;
    MountFlags flags;
    /// OCI's tmpcopyup: what the root has at `target` is copied into the new tmpfs.
    bool copy_up = false;
};
/// A procfs of the PID namespace that the container's processes live in.
struct MountProc {
    std::string target;
    std::vector<std::pair<std::string, std::string>> options;
    MountFlags flags;
};
/// The container's own cgroup, and nothing above it.
struct MountCgroup {
    std::string target;
    MountFlags flags;
    /// Where the host has v1 hierarchies: a tmpfs with a folder for each of them, as runc has it.
    /// Otherwise the v2 tree alone.
    bool with_v1 = false;
    /// The container has a cgroup namespace, whose root a new cgroup2 mount shows. Without one its
    /// group's folder is bound.
    bool own_namespace = true;
};
/// open_tree(OPEN_TREE_CLONE) of a host path, taken before anything else happens.
struct BindMount {
    std::string host_source, target;
    bool recursive = false;
    MountFlags flags;
    /// Not empty: an id-mapped mount (mount_setattr(2), MOUNT_ATTR_IDMAP).
    std::vector<spec::IdMapping> uid_mappings, gid_mappings;
    bool idmap_recursive = false;
    /// It is id-mapped with the maps of the user namespace that the container joins by path.
    bool idmap_of_joined = false;
    /// Not empty: `host_source` is this path of the container's root, and an earlier operation has
    /// mounted something there. It is cloned in its turn then, and not before.
    std::string inner_source = {};
};
/// mount_setattr(2) and, for a tmpfs, fsconfig(2) on what operation number `of` has mounted at
/// `target`. What is not named stays as it is.
struct Remount {
    std::size_t of = 0;
    std::string target;
    std::vector<std::pair<std::string, std::string>> options;
    MountFlags flags;
};
/// The root of another container, as open_sources() finds it: read-only, nosuid, nodev, all of it.
struct ShowRoot {
    std::string target;
};
struct MakeDevice {
    std::string path;
    mode_t mode = 0;  // with S_IFCHR, S_IFBLK or S_IFIFO
    unsigned major = 0, minor = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    /// Bound from the host, where it stands at the same path: mknod(2) is EPERM in a user
    /// namespace. Owner and mode are then the host's.
    bool from_host = false;
};
struct MakeSymlink {
    std::string target, path;
};
/// The container's pty is opened on its /dev/pts. Only with a terminal.
struct BindConsole {
    /// Its slave is bound to /dev/console. Not where a mount on that would reach the host: in a
    /// /dev that is bound with a shared propagation.
    bool on_console = true;
    /// In a /dev that is bound nothing is made, so nothing is bound where no /dev/console is.
    bool makes_console = true;
};
/// A folder gets an empty read-only tmpfs over it, anything else the null device. Not there:
/// nothing.
struct MaskPath {
    std::string path;
};
/// Bound to itself, read-only, recursively. Not there: nothing.
struct ReadonlyPath {
    std::string path;
};
/// The whole root read-only.
struct ReadonlyRoot {};

using Operation =
    std::variant<MountFilesystem, MountProc, MountCgroup, BindMount, Remount, ShowRoot, MakeDevice,
                 MakeSymlink, BindConsole, MaskPath, ReadonlyPath, ReadonlyRoot>;

/// "mount proc on /proc", "mask /proc/kcore": what errors and --dump-plan call it.
[[nodiscard]] std::string describe(const Operation& operation);

}  // namespace covey::plan
