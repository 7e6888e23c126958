// The processes of a pod's PID namespace that could reach a privileged newborn stand still while a
// launch in pid mode nested has one in there (docs/LAUNCH.md): task/stillness.hpp on the loop of a
// guard process. Each of command and guard makes good for the other's death: the newborn is killed,
// and when it is gone the others go on. If both are killed, the next command in that pod finds what
// the guard has noted in the pod's lock (pod_lock.hpp) and does the same. Called by create. Thread
// rule: single-threaded (it forks). The constructor blocks until all stand still, some 50 ms and a
// look at every process of the host, and before that until no other launch holds the pod still.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "core/container_record.hpp"
#include "covey/error.hpp"
#include "runtime/pod_lock.hpp"
#include "runtime/standstill.hpp"

#include <optional>
#include <string>
#include <vector>

namespace covey::runtime {

/// Who might be in the pod of a launch.
struct Neighbours {
    std::vector<std::string> groups;  // the topmost, of all containers
    /// Of the pod's containers; of all, where no engine says whose pod it is. In another PID
    /// namespace one has no number for the newcomer, but may be handed a procfs or a pidfd.
    std::vector<pid_t> inits;
};
[[nodiscard]] Neighbours neighbours_of(const core::ContainerRecord& newcomer,
                                       const std::vector<core::ContainerRecord>& all);

class Stillness {
  public:
    /// Throws failed_precondition naming a process that has no cgroup of its own to stand still in,
    /// or that does not stop. A group that is frozen already stays so afterwards. When the launch
    /// takes longer than they may stand still, the guard kills the newcomer's group.
    /// `host` and `newcomer`, the group of the container that is being made, are borrowed.
    Stillness(const cgroup::Host& host, FdRef pid_namespace, const cgroup::Group& newcomer,
              const Neighbours& neighbours);
    /// The launch has failed: the newcomer ends, then all go on. Blocks for that, 5 s at most; a
    /// newcomer that has not ended by then keeps the guard, and the pod still, and is named in a
    /// warning.
    ~Stillness();
    Stillness(const Stillness&) = delete;
    Stillness& operator=(const Stillness&) = delete;

    /// The newcomer has no privileges any more: all go on, at once. Blocks until they do. What the
    /// guard has given up for, if it was faster.
    [[nodiscard]] std::optional<Error> over() noexcept;
    /// Readable when the guard has given up, or has ended, before it was told so.
    [[nodiscard]] FdRef bad_news() const noexcept { return socket_; }
    /// What it is.
    [[nodiscard]] Error read_bad_news() const;

  private:
    void finish(Newcomer newcomer) noexcept;

    const cgroup::Host& host_;
    const cgroup::Group& newcomer_;
    PodLock lock_;
    UniqueFd socket_, guard_;
};

}  // namespace covey::runtime
