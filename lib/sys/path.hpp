// The one resolver for names that come from a container, an image or a spec. A root is an O_PATH
// descriptor; every lookup is openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, so that no
// symlink,
// "..", race or /proc link leads out of it. Called by launch. Thread rule: any thread.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <string_view>

#include <sys/types.h>

namespace covey::sys {

/// Where a lookup stays, and what a symlink means that would leave.
enum class Scope {
    in_root,  // RESOLVE_IN_ROOT: an absolute symlink and ".." end at the folder, as after chroot(2)
    beneath,  // RESOLVE_BENEATH: what leads out of the folder is EXDEV
};
/// openat2 in `folder`, never by a link of /proc; O_CLOEXEC is added. Slashes in front of the path
/// mean nothing, and an empty one is the folder itself. EAGAIN as for open_in_root.
Result<UniqueFd> open_within(FdRef folder, Scope scope, std::string_view path, std::uint64_t flags,
                             mode_t mode = 0);
/// openat2 in `root`; O_CLOEXEC is added. EAGAIN (a rename raced with "..") is tried again a
/// bounded number of times, then it is the error.
Result<UniqueFd> open_in_root(FdRef root, std::string_view path, std::uint64_t flags,
                              mode_t mode = 0);
/// openat2 strictly below `folder`: no "..", no symlink at all, no other mount. For kernel trees
/// (/proc/sys, cgroupfs) where a name is the caller's.
Result<UniqueFd> open_beneath(FdRef folder, std::string_view path, std::uint64_t flags);
/// A path of the host's without one symlink on it, for a path through places that somebody else may
/// write, as a tenant's volume. ELOOP: there is one. O_CLOEXEC is added.
Result<UniqueFd> open_real(std::string_view path, std::uint64_t flags, mode_t mode = 0);
/// The folder `path`, made component by component where it is missing (mode 0755). A symlink on the
/// way, or at its end, that leads to nothing is followed like any other: what it leads to is made,
/// within the folder (image roots have /etc/resolv.conf so). ELOOP after 40 of them.
Result<UniqueFd> make_dir_in_root(FdRef root, std::string_view path, Scope scope = Scope::in_root);
/// A mount point: what is there (with `folder`: a folder), or a new folder or empty file, by the
/// same rule.
enum class TargetKind { folder, file };
Result<UniqueFd> make_target_in_root(FdRef root, std::string_view path, TargetKind kind,
                                     Scope scope = Scope::in_root);

}  // namespace covey::sys
