// File systems of the host's by which a restricted container would see or reach its neighbours,
// whatever a domain holds back: a procfs, in which command lines and numbers of all processes
// stand, and a cgroup file system that it can write, whose files freeze, kill and move them. Called
// by the launcher for each source that it opens. Thread rule: any thread. Reads the mount table;
// does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "sys/mount.hpp"

#include <string>
#include <vector>

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

/// Where the caller's mount namespace has a whole procfs or sysfs, once for each mount that lies
/// there, the lowest first. While one is in the namespace the kernel lets whoever makes a user
/// namespace in it mount a new one, without what is masked in the container's own
/// (mount_namespaces(7)); after a pivot none is, after a chroot they all are.
[[nodiscard]] std::vector<std::string> full_views();
/// They are unmounted, or, where a user namespace holds them fast, covered. In a mount namespace of
/// the container's own, from which nothing goes back to the host's.
void hide_full_views(const std::vector<std::string>& points);

}  // namespace covey::launch
