// All processes of a pod's PID namespace stand still while a launch in pid mode nested has a
// privileged process in there (docs/LAUNCH.md): their cgroups are frozen. A guard process freezes
// them and thaws them when it is told so or this command is gone, so that a killed command leaves
// no pod frozen. Called by create. Thread rule: single-threaded (it forks). The constructor blocks
// until all stand still, at most 2 s for each group; the destructor until all go on.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"

#include <string>

namespace covey::runtime {

class Stillness {
  public:
    /// Throws failed_precondition naming a process that has no cgroup of its own to stand still in,
    /// timeout for one that does not stop. A group that is frozen already stays so afterwards.
    /// `newcomer`: the group of the container that is being made, or empty.
    Stillness(const cgroup::Host& host, FdRef pid_namespace, const std::string& newcomer);
    ~Stillness();
    Stillness(const Stillness&) = delete;
    Stillness& operator=(const Stillness&) = delete;

  private:
    UniqueFd socket_, guard_;
};

}  // namespace covey::runtime
