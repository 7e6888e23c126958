// Containers that are not Covey's: made by an engine (containerd, Podman, …) through covey-runtime.
// Reads the link that covey-runtime left in the registry, the record it points to, and what the
// kernel says now. A record is believed only where it can be checked: names, owner and mode of its
// folder, the boot, and the process's cgroup. Called by coveyd, which shows them and owns none.
// Thread rule: any thread. Blocks as the filesystem does.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "core/container_record.hpp"
#include "core/facts.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace covey::core {

struct EngineContainer {
    std::string root;        // its id is unique in its root only
    std::string engine;      // "containerd", "podman", …; "oci" when nothing tells
    std::string pod;         // the engine's id of its pod; empty: none, or it does not say
    std::string name;        // as the engine calls it; empty: it does not say
    ContainerRecord record;  // without annotations: they are anybody's words
};

/// `link` is a name in the folder `registry`. Throws failed_precondition saying what about it, or
/// about the record it points to, cannot be believed; not_found when the link itself is gone.
[[nodiscard]] EngineContainer read_engine_container(FdRef registry, const std::string& link,
                                                    std::string_view boot_id);

struct EngineContainerNow {
    ContainerState state = ContainerState::stopped;
    std::vector<std::string> command;  // of its init; empty when it is stopped
};
/// Throws failed_precondition when the process that lives under the record's number is not in the
/// record's cgroup.
[[nodiscard]] EngineContainerNow look_at(const EngineContainer& container, const cgroup::Host& host,
                                         FdRef proc);

/// Which engine has its state in such a root or its bundles there, or else writes such annotations.
/// For display: nothing is decided by it.
[[nodiscard]] std::string engine_of(const std::map<std::string, std::string>& annotations,
                                    std::string_view root, std::string_view bundle);

}  // namespace covey::core
