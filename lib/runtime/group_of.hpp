// What pause, resume, update, events and ps have in common: a container that has a group. Thread
// rule: single-threaded. Blocks as cgroupfs does.
#pragma once

#include "cgroup/cgroup.hpp"
#include "runtime/container_store.hpp"
#include "runtime/status.hpp"

#include <string>
#include <string_view>

namespace covey::runtime {

/// A container and its group. The host must outlive the group, so they stay together, in one place.
struct GroupedContainer {
    /// Throws not_found for an unknown id, and failed_precondition, naming `wish` ("be paused"),
    /// for a container that has no group or has ended.
    GroupedContainer(const std::string& root, const std::string& id, std::string_view wish);
    GroupedContainer(const GroupedContainer&) = delete;
    GroupedContainer& operator=(const GroupedContainer&) = delete;

    ContainerFolder folder;
    cgroup::Host host;
    ContainerView view;
    cgroup::Group group;
};

}  // namespace covey::runtime
