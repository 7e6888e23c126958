// A restricted container gets no procfs of the host's: command lines and numbers of all processes
// stand in one, whatever a domain holds back. Called by the launcher for each source that it opens.
// Thread rule: any thread. Reads the mount table; does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "sys/mount.hpp"

#include <string>

namespace covey::launch {

/// Throws invalid_spec when `place`, the host's `path`, is on a procfs or, for a recursive clone,
/// has one mounted below. What the host mounts there later is the host's doing.
void refuse_host_proc(FdRef place, const std::string& path, sys::Recursive recursive);

}  // namespace covey::launch
