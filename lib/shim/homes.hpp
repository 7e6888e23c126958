// Where the pod's known processes belong: pause, each container's main process, each exec's. A
// neighbour with open access may have moved them into groups of its own (cgroup/residents.hpp). Its
// end spares them, and a child of the shim moves them back, for the kernel takes its time over
// that. Owned by the shim. Thread rule: the loop's. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/residents.hpp"
#include "task/loop.hpp"
#include "task/reaper.hpp"

#include <functional>
#include <string>
#include <vector>

namespace covey::shim {

class Homes {
  public:
    /// Whether `pid` is one of the known processes, and not of `container`.
    using IsOther = std::function<bool(pid_t pid, const std::string& container)>;
    using All = std::function<std::vector<cgroup::Resident>()>;
    Homes(task::Owner& owner, task::Reaper& reaper, const cgroup::Host& host, IsOther is_other,
          All all);
    ~Homes();
    Homes(const Homes&) = delete;
    Homes& operator=(const Homes&) = delete;

    /// For signals to the container's group; one that is met there is looked after soon.
    [[nodiscard]] cgroup::Spares others_than(const std::string& container);
    /// In some milliseconds whoever is away is moved back. What goes wrong with that is the
    /// owner's trouble, and no reason not to be asked again.
    void look_soon();
    /// Whether one in a group beside it can move a process, and so thaw it.
    [[nodiscard]] bool can_be_left() const noexcept { return can_be_left_; }

  private:
    void look();

    task::Owner& owner_;
    task::Reaper& reaper_;
    const cgroup::Host& host_;
    IsOther is_other_;
    All all_;
    bool can_be_left_;
    task::Timer soon_;
    UniqueFd child_;
    task::Reaper::Child end_;
};

}  // namespace covey::shim
