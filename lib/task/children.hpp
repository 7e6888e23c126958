// The children of this process, whoever they are (reaper.hpp says why there may be unknown ones):
// looked at, let go, reaped. What waitid(2) does not tell is asked of /proc: a zombie that a tracer
// of its own, perhaps hostile, has not waited for is not told to its parent until that one has
// (wait_consider_task in the kernel's source).
// Called by Reaper, and by programs that wait without a loop. Thread rule: single-threaded
// programs. Does not block, but where it says so.
#pragma once

#include "base/unique_fd.hpp"
#include "sys/process.hpp"

#include <chrono>
#include <optional>
#include <set>

#include <signal.h>
#include <sys/types.h>

namespace covey::task {

/// Of any child, a thread that is traced and one of another exit signal too (__WALL). `flags` are
/// waitid(2)'s. Nothing: no such event, or no child.
[[nodiscard]] std::optional<siginfo_t> any_child(int flags);
[[nodiscard]] sys::ExitStatus status_of(const siginfo_t& info);
/// One that has stopped for a tracer, which is this process, goes on without; false: `told` is of
/// an end. A tracee's stop is told by every wait, whether it was asked for or not (ptrace(2)).
bool release(const siginfo_t& told);
/// The same of any child. False: none has stopped.
bool release_stopped();
enum class End { reapable, begun };
/// What a child has come to that has ended, though a tracer keeps it, or (`begun`) whose
/// end the kernel has begun; nothing: it has not. Throws on what else /proc answers. All threads of
/// it have come so far, the caller knows that from its pidfd, from its group, or from is_ending().
[[nodiscard]] std::optional<sys::ExitStatus> status_of_ended(pid_t pid, End how_far);

/// For a program that waits for one child: lets tracees go and reaps all who have ended but `kept`.
void tend_children(pid_t kept) noexcept;
/// The status of a child whose pidfd says that it has ended. It is reaped, or, if a tracer keeps
/// it for longer than a second, when that one has gone and this process, or who inherits it, waits
/// for it. Blocks for that second at most. Throws.
[[nodiscard]] sys::ExitStatus take_status(FdRef ended);
/// The children that this process has now, and their numbers as long as it does not wait for them:
/// those that come later are its own doing, or of who is launched by it.
class OwnChildren {
  public:
    OwnChildren();
    /// SIGKILL to all that have come since, known or not, and what they leave behind: a child that
    /// was stopped before it told its number too.
    void kill_others() const noexcept;

  private:
    std::set<pid_t> before_;
};

/// Waits for all children until there are none, known or not, but no longer than `limit`; tracees
/// are let go. Whoever shall end has been killed. Blocks.
void reap_all_children(std::chrono::milliseconds limit) noexcept;

}  // namespace covey::task
