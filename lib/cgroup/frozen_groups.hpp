// Groups of others that this object has frozen and thaws at its end: a launch in pid mode nested
// lets nobody of the pod run (docs/LAUNCH.md, "Nested"). Used by covey-runtime's guard and by the
// shim for what another runtime has put into the pod. Thread rule: one owner. freeze() blocks until
// every task of a group has stopped, at most 2 s.
#pragma once

#include "cgroup/cgroup.hpp"

#include <string>
#include <vector>

namespace covey::cgroup {

class FrozenGroups {
  public:
    /// `host` is borrowed. `spared`: groups that must go on, the caller's own among them.
    FrozenGroups(const Host& host, std::vector<std::string> spared)
        : host_(host), spared_(std::move(spared)) {}
    FrozenGroups(const FrozenGroups&) = delete;
    FrozenGroups& operator=(const FrozenGroups&) = delete;
    ~FrozenGroups() { thaw(); }

    /// False: it stood still already, and will go on doing so, or it is gone. Throws
    /// failed_precondition naming `member`, a process of the pod's, when its group cannot stand
    /// still, and timeout.
    bool freeze(const std::string& group, const std::string& member);
    /// All that freeze() froze go on.
    void thaw() noexcept;

  private:
    const Host& host_;
    std::vector<std::string> spared_;
    std::vector<Group> frozen_;
};

}  // namespace covey::cgroup
