// OCI's `tmpcopyup`: what the image has at a tmpfs's target is in the tmpfs when it is mounted.
// Called by the interpreter of mount operations. Thread rule: single-threaded. Blocks as the files
// do.
#pragma once

#include "base/unique_fd.hpp"

#include <string>

namespace covey::launch {

/// Copies folders, files, symlinks, FIFOs and devices with mode and owner, by descriptor, never
/// following a symlink. `mount` is the detached tmpfs. A target that is not there: nothing.
void copy_up(FdRef root, const std::string& target, FdRef mount);

}  // namespace covey::launch
