// The processes of a pod's PID namespace that could reach a privileged newborn stand still while a
// launch in pid mode nested has one in there (docs/LAUNCH.md): task/stillness.hpp on the loop of a
// guard process, which lets them go when it is told so or this command is gone, so that a killed
// command leaves no pod frozen. Called by create. Thread rule: single-threaded (it forks). The
// constructor blocks until all stand still, some 50 ms and a look at every process of the host; the
// destructor until all go on.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"

#include <string>

namespace covey::runtime {

class Stillness {
  public:
    /// Throws failed_precondition naming a process that has no cgroup of its own to stand still in,
    /// or that does not stop. A group that is frozen already stays so afterwards. When the launch
    /// takes longer than they may stand still, the guard kills the newcomer's group and lets them
    /// go.
    /// `newcomer`: the group of the container that is being made, or empty.
    Stillness(const cgroup::Host& host, FdRef pid_namespace, const std::string& newcomer);
    ~Stillness();
    Stillness(const Stillness&) = delete;
    Stillness& operator=(const Stillness&) = delete;

  private:
    UniqueFd socket_, guard_;
};

}  // namespace covey::runtime
