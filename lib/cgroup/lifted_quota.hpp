// A group's CPU quota, out of force for a while: a launch in pid mode nested lets others stand
// still until it has done its work (docs/LAUNCH.md), and the newcomer's limit must not decide how
// long that is. Groups above keep theirs. Thread rule: one owner. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"

#include <string>
#include <utility>
#include <vector>

namespace covey::cgroup {

class LiftedQuota {
  public:
    LiftedQuota() = default;
    /// Lifts it, if it has one. The files stay open: they can be written from where no cgroup is
    /// in sight.
    LiftedQuota(const Host& host, const Group& group);

    /// In force again. Once; throws when the kernel refuses.
    void restore();
    [[nodiscard]] std::vector<int> descriptors() const;

  private:
    void lift(UniqueFd folder, const std::string& file, const std::string& unlimited);
    std::vector<std::pair<UniqueFd, std::string>> files_;  // and what is written back
};

}  // namespace covey::cgroup
