// File systems of the host's by which a restricted container would see or reach its neighbours,
// whatever a domain holds back: a procfs, in which command lines and numbers of all processes
// stand, and a cgroup file system that it can write, whose files freeze, kill and move them. Called
// by the launcher for each source that it opens. Thread rule: any thread. Reads the mount table;
// does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "sys/mount.hpp"

#include <string>

namespace covey::launch {

/// What a source is cloned with, and what of it can be written then.
struct SourceUse {
    sys::Recursive recursive;
    bool is_read_only;        // the mount itself
    bool is_read_only_below;  // all that is mounted in it
};

/// Throws invalid_spec when `place`, the host's `path`, is on such a file system or, for a
/// recursive clone, has one mounted below. What the host mounts there later is the host's doing.
void refuse_host_views(FdRef place, const std::string& path, const SourceUse& use);

}  // namespace covey::launch
