// Mounts by descriptor only: open_tree, fsopen, fsmount, move_mount, mount_setattr (Linux 5.12).
// No wrapper here takes a path inside a container; targets are descriptors from sys/path.
// Called by launch, shim (set-up stage of pause) and core (pins). Thread rule: any thread; the
// mount namespace is the caller's. Blocks as the filesystem does.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace covey::sys {

enum class Recursive { no, yes };

/// A detached copy of the mount (tree) at `path` or, with an empty path, at `dir` itself
/// (OPEN_TREE_CLONE). A descriptor of another mount namespace's mount is EINVAL.
Result<UniqueFd> clone_tree(FdRef dir, std::string_view path, Recursive recursive);

using MountOptions = std::vector<std::pair<std::string, std::string>>;
/// A filesystem context (fsopen); not yet a superblock.
Result<UniqueFd> open_filesystem(std::string_view type);
/// An empty value sets a flag.
Result<void> configure(FdRef context, std::string_view key, std::string_view value);
Result<void> configure_fd(FdRef context, std::string_view key, FdRef value);
/// Creates the superblock and a detached mount of it; `attributes` are MOUNT_ATTR_*.
Result<UniqueFd> finish_filesystem(FdRef context, std::uint64_t attributes);
/// A context for changing the superblock of a mount (fspick), and the change.
Result<UniqueFd> open_mounted_filesystem(FdRef mount);
Result<void> finish_reconfiguration(FdRef context);
/// What the kernel wrote to the context about the last failure ("Unknown parameter 'x'"), or "".
[[nodiscard]] std::string context_message(FdRef context);

/// Attaches a detached mount on `target` (file on file, folder on folder).
Result<void> attach(FdRef mount, FdRef target);
/// On a path of our own, never one inside a container.
Result<void> attach_at(FdRef mount, FdRef dir, std::string_view path);
/// mount_setattr(2). `propagation` is MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE or 0.
Result<void> set_attributes(FdRef mount, std::uint64_t set, std::uint64_t clear,
                            std::uint64_t propagation, Recursive recursive);

/// Which mount a descriptor is on (STATX_MNT_ID, Linux 5.8).
Result<std::uint64_t> mount_id(FdRef fd);

/// Ids of a detached mount are seen through the maps of a user namespace (MOUNT_ATTR_IDMAP, Linux
/// 5.12). A filesystem that does not know how: EINVAL.
Result<void> set_id_map(FdRef mount, FdRef user_namespace, Recursive recursive);

/// The whole tree of the caller's namespace.
Result<void> set_propagation_of_all(std::uint64_t propagation);
/// `root` becomes "/", the old root is detached: nothing of it can be reached any more.
Result<void> pivot_into(FdRef root);
/// The same where "/" is a ramdisk, which pivot_root(2) refuses (EINVAL): `root`, mounted over "/"
/// already, is entered by chroot(2). The old root stays beneath it: who may chroot(2) reaches it.
Result<void> chroot_into(FdRef root);
/// umount2(MNT_DETACH | UMOUNT_NOFOLLOW) on a path of our own.
Result<void> detach_at(FdRef dir, std::string_view path);

/// True when procfs takes `pidns=` (Linux 6.18), found by calling.
[[nodiscard]] bool procfs_takes_pidns(FdRef pid_namespace);

}  // namespace covey::sys
