// Processes of the pod's PID namespace that are in none of Covey's containers: another runtime has
// put them there by the namespace's path (`POST …/oci`, runc), or somebody with nsenter(1). Their
// cgroups stand still with the neighbours' (neighbours.hpp). Found through a procfs of the pod's
// namespace, by cgroup. Thread rule: the loop's thread. freeze() blocks until all have stopped, at
// most 2 s for each group.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/frozen_groups.hpp"
#include "shim/sandbox.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace covey::shim {

class Strangers {
  public:
    /// `host` and `sandbox` are borrowed. `own` gives the groups of all the pod's containers.
    Strangers(const cgroup::Host& host, const Sandbox& sandbox,
              std::function<std::vector<const cgroup::Group*>()> own)
        : host_(host), sandbox_(sandbox), own_(std::move(own)) {}

    /// Throws failed_precondition naming one whose cgroup cannot stand still (the host's root, or
    /// the shim's own); then nobody does for its sake.
    void freeze();
    void thaw() noexcept { frozen_.reset(); }

  private:
    /// Whether one was found that ran on until now.
    bool freeze_round();
    [[nodiscard]] UniqueFd open_proc() const;
    /// What the pod's own containers' processes are called in the pod, sorted; not all of them on
    /// a kernel that cannot tell (before 6.11).
    [[nodiscard]] std::vector<pid_t> own_numbers(
        const std::vector<const cgroup::Group*>& own) const;

    const cgroup::Host& host_;
    const Sandbox& sandbox_;
    std::function<std::vector<const cgroup::Group*>()> own_;
    UniqueFd proc_;  // opened by the first launch that wants it
    std::unique_ptr<cgroup::FrozenGroups> frozen_;
};

}  // namespace covey::shim
