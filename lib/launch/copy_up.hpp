// OCI's `tmpcopyup`: what the image has at a tmpfs's target is in the tmpfs when it is mounted.
// Called by the interpreter of mount operations. Thread rule: single-threaded. Blocks as the files
// do.
#pragma once

#include "base/unique_fd.hpp"

namespace covey::launch {

/// Copies folders, files, symlinks, FIFOs and devices with mode and owner, by descriptor, never
/// following a symlink. `place` (O_PATH) is the mount point, `mount` the detached tmpfs.
void copy_up(FdRef place, FdRef mount);

}  // namespace covey::launch
