// Who in a PID namespace could reach a privileged process that is born there, and must stand still
// meanwhile (docs/LAUNCH.md, "Nested"). Thread rule: the loop's thread. One look takes some
// milliseconds at most: a pod may have many processes.
#pragma once

#include "base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::task {

/// Whether the capabilities are enough to look into a process that is not dumpable, whose memory
/// belongs to the user namespace of this program: ptrace(2), process_vm_readv(2), pidfd_getfd(2)
/// and most of /proc/PID ask for CAP_SYS_PTRACE, perf_event_open(2) for CAP_PERFMON, programs that
/// read others' memory for CAP_BPF; CAP_SYS_ADMIN stands for the last two. No uid is enough, and a
/// signal (CAP_KILL, or the same uid) only ends or holds up the launch: nothing is reached by it.
[[nodiscard]] bool is_enough_to_reach(std::uint64_t capabilities) noexcept;

/// is_enough_to_reach() for one thread of the process at least: its permitted, effective or
/// bounding capabilities, which are each thread's own. Gone: false. More threads than are looked at
/// in a turn of the loop: true.
[[nodiscard]] bool could_reach(FdRef proc, pid_t pid);

/// The process is in this program's own user namespace, or nobody can tell: then it could reach,
/// if it has the capabilities. Of one that was not launched here nobody can tell that: they are
/// each thread's own, and its relatives' may be others.
[[nodiscard]] bool is_in_own_user_namespace(FdRef proc, pid_t pid);

/// Goes through the processes of one procfs, a few at a time.
class Members {
  public:
    struct Found {
        std::string group;  // of the identity hierarchy
        std::string name;   // for an error: "process 17 (its number in the pod)"
    };
    /// Nothing: it may go on.
    using Judge = std::function<std::optional<Found>(FdRef proc, pid_t pid)>;

    Members(UniqueFd proc, Judge judge) : proc_(std::move(proc)), judge_(std::move(judge)) {}

    void begin();
    /// Adds to `found`; false: it was not all, come again.
    bool look(std::vector<Found>& found);

  private:
    UniqueFd proc_;
    Judge judge_;
    std::vector<pid_t> left_;
};

}  // namespace covey::task
