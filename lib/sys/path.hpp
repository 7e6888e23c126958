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

/// openat2 in `root`; O_CLOEXEC is added. EAGAIN (a rename raced with "..") is tried again a
/// bounded number of times, then it is the error.
Result<UniqueFd> open_in_root(FdRef root, std::string_view path, std::uint64_t flags,
                              mode_t mode = 0);
/// openat2 strictly below `folder`: no "..", no symlink at all, no other mount. For kernel trees
/// (/proc/sys, cgroupfs) where a name is the caller's.
Result<UniqueFd> open_beneath(FdRef folder, std::string_view path, std::uint64_t flags);
/// An O_PATH descriptor of what is there; never follows a symlink in the last component.
Result<UniqueFd> find_in_root(FdRef root, std::string_view path);
/// The folder `path`, made component by component where it is missing (mode 0755).
Result<UniqueFd> make_dir_in_root(FdRef root, std::string_view path);
/// A mount point: an existing object of the wanted kind, or a new folder or empty file.
enum class TargetKind { folder, file };
Result<UniqueFd> make_target_in_root(FdRef root, std::string_view path, TargetKind kind);
/// The folder that holds the last component (made where missing) and that component's name.
struct ParentInRoot {
    UniqueFd folder;
    std::string_view name;  // points into the caller's path
};
Result<ParentInRoot> make_parent_in_root(FdRef root, std::string_view path);

}  // namespace covey::sys
