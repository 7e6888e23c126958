// v1 hierarchies that the kernel has, as /proc/self/cgroup tells, and that are mounted nowhere in
// sight: no group can be made in them, so every container stays at their root, and one that may
// make a user namespace can mount them and write there. Called by coveyd's checks of the host.
// Thread rule: safe from any thread. Does not block.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace covey::cgroup {

struct Host;

/// Each by its mount option ("net_cls,net_prio", "name=openrc"). `own_cgroups` is the text of
/// /proc/self/cgroup.
[[nodiscard]] std::vector<std::string> unmounted_hierarchies(const Host& host,
                                                             std::string_view own_cgroups);

}  // namespace covey::cgroup
