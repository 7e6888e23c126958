// Processes by pidfd: clone3, signals, waiting, exec by descriptor. A process is never identified
// by its number alone. Called by launch, shim, core. Thread rule: `clone_process` only from
// single-threaded programs (the child is an ordinary copy); the rest from any thread.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::sys {

struct CloneArguments {
    std::uint64_t flags = 0;  // CLONE_NEW…, CLONE_PARENT, CLONE_VFORK…; PIDFD is always added
    int exit_signal = 0;      // must be 0 with CLONE_PARENT: the child inherits the caller's
    /// CLONE_INTO_CGROUP when valid (v2, Linux 5.7).
    FdRef cgroup{-1};
};
struct Child {
    pid_t pid = 0;  // 0 in the child
    UniqueFd pidfd;
};
/// clone3(2) as fork: returns twice. The child has every signal handler reset
/// (CLONE_CLEAR_SIGHAND) and no signal blocked.
Result<Child> clone_process(const CloneArguments& arguments);

Result<UniqueFd> pidfd_open(pid_t pid);
Result<void> pidfd_send_signal(FdRef pidfd, int signal);
/// The process's number as /proc of the caller's mount namespace has it (fdinfo); ESRCH when it has
/// been reaped.
Result<pid_t> pidfd_number(FdRef pidfd);
/// The PID namespace that the process is in, by the pidfd alone (PIDFD_GET_PID_NAMESPACE, Linux
/// 6.11). ENOTTY before that. Needs the right to inspect the process.
Result<UniqueFd> pidfd_pid_namespace(FdRef pidfd);

/// Whether others of its user may look into the process (prctl(2), PR_SET_DUMPABLE). Nothing: the
/// kernel does not tell (before 6.16), or it has no memory any more.
Result<std::optional<bool>> is_dumpable(FdRef pidfd);
/// The number by which pidfs knows the process, the same for every pidfd of it and no other's
/// until the next boot. ENOTTY: the kernel has no pidfs (before 6.9).
Result<std::uint64_t> pidfd_inode(FdRef pidfd);

struct ExitStatus {
    int code = 0;    // exit status, or 128 + signal
    int signal = 0;  // 0: it exited by itself
};
/// waitid(P_PIDFD, WEXITED | __WALL). Only the parent may. Blocks.
Result<ExitStatus> wait_process(FdRef pidfd);
/// The same with WNOHANG: nothing when it still runs.
Result<std::optional<ExitStatus>> try_wait_process(FdRef pidfd);
/// The same, and the child stays unreaped (WNOWAIT).
Result<std::optional<ExitStatus>> peek_exit(FdRef pidfd);
/// An unreaped child of the caller's: its number is its own until the caller waits for it.
[[nodiscard]] bool is_child(FdRef pidfd) noexcept;
/// Blocks until the process has ended (any process, not only children); false after `milliseconds`.
[[nodiscard]] bool wait_ended(FdRef pidfd, int milliseconds);

/// execveat(fd, "", AT_EMPTY_PATH): returns only on failure.
Errno exec_fd(FdRef program, const std::vector<std::string>& args,
              const std::vector<std::string>& env);
/// execve(2): returns only on failure.
Errno exec_path(const std::string& path, const std::vector<std::string>& args,
                const std::vector<std::string>& env);

/// posix_spawn of a program by descriptor, from any thread of any program. In the child the
/// descriptors of `keep` are 3, 4, 5 … in order, all others are closed but 0, 1, 2; it has a
/// session of its own, no blocked signals and default handlers. stdin and stdout are /dev/null,
/// stderr is inherited.
struct SpawnArguments {
    FdRef program{-1};
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::vector<FdRef> keep;
};
Result<Child> spawn(const SpawnArguments& arguments);

/// close_range(2) of everything from 3 up but `keep` (any order).
Result<void> close_all_except(std::span<const int> keep);

/// prctl wrappers, one line each.
Result<void> set_name(const char* name);
Result<void> set_dumpable(bool on);
[[nodiscard]] bool is_dumpable() noexcept;
Result<void> set_parent_death_signal(int signal);

}  // namespace covey::sys
