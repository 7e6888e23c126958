// The shims of a state folder, found without it: a pod whose folder or record somebody removed runs
// on, and must be shown and ended. A shim is known by what the kernel says of it and nobody in a
// pod can bring about: it is in coveyd's own mount, PID and user namespaces, is root there, and
// holds as its state folder one that is or was `sandboxes/<id>` of this very filesystem; its pod's
// group is the one in which its children are. Its name, title and arguments are not looked at. Used
// by the engine only. Thread rule: pure but for /proc. Blocks as reading /proc does.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::daemon {

struct FoundShim {
    std::string id;  // of its sandbox
    pid_t pid = 0;
    std::uint64_t start_time = 0;
    std::string cgroup;   // of its pod, "/covey/web.pod"; empty: it has no children
    pid_t pause_pid = 0;  // 0: there is none in the pod's group
};

/// `state_root`: coveyd's root folder. Costs a readlink for each process of the host.
[[nodiscard]] std::vector<FoundShim> find_shims(const cgroup::Host& host, FdRef proc,
                                                FdRef state_root);

}  // namespace covey::daemon
