#include "sys/process.hpp"

#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/last_errno.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::sys {
namespace {

constexpr std::uint64_t kPidfdFlag = CLONE_PIDFD;
constexpr idtype_t kPidfd = static_cast<idtype_t>(3);  // P_PIDFD, Linux 5.4

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (const auto& text : strings)
        result.push_back(const_cast<char*>(text.c_str()));  // execve(2) takes char* const[]
    result.push_back(nullptr);
    return result;
}

Result<std::optional<ExitStatus>> wait_with(FdRef pidfd, int flags) {
    siginfo_t info{};
    int result = 0;
    do
        result = ::waitid(kPidfd, static_cast<id_t>(pidfd.get()), &info, WEXITED | __WALL | flags);
    while (result < 0 && errno == EINTR);
    if (result < 0) return last_errno();
    if (info.si_pid == 0) return std::optional<ExitStatus>{};
    ExitStatus status;
    if (info.si_code == CLD_EXITED) {
        status.code = info.si_status;
    } else {
        status.signal = info.si_status;
        status.code = 128 + info.si_status;
    }
    return std::optional{status};
}

/// CLONE_CLEAR_SIGHAND resets handlers but leaves ignored signals ignored (clone3(2)), and so does
/// execve(2): a container would never hear the SIGTERM that its shim ignores.
void reset_signals() {
    // All zero is SIG_DFL. Not sigaction(3): it refuses 32 and 33, which may be ignored as well.
    constexpr std::array<std::uint64_t, 4> kDefault{};
    for (int signal = 1; signal <= SIGRTMAX; ++signal)
        ::syscall(SYS_rt_sigaction, signal, kDefault.data(), nullptr, sizeof(std::uint64_t));
    // A mask survives fork and exec as well: covey-runtime takes its signals from a signalfd.
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

Result<Child> clone_process(const CloneArguments& arguments) {
    int pidfd = -1;
    clone_args args{};
    std::uint64_t flags = arguments.flags | kPidfdFlag | CLONE_CLEAR_SIGHAND;
    args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    args.exit_signal = static_cast<unsigned>(arguments.exit_signal);
    if (arguments.cgroup.valid()) {
        flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<unsigned>(arguments.cgroup.get());
    }
    args.flags = flags;
    long pid = ::syscall(SYS_clone3, &args, sizeof args);
    // Seccomp profiles answer clone3 with an error, for its flags cannot be filtered: Docker's kind
    // with ENOSYS, others with their default. What is really forbidden is forbidden to clone too.
    const bool refused = pid < 0 && (errno == ENOSYS || errno == EPERM || errno == EACCES);
    if (refused && !arguments.cgroup.valid())
        pid = ::syscall(SYS_clone,
                        arguments.flags | kPidfdFlag | static_cast<unsigned>(arguments.exit_signal),
                        nullptr, &pidfd, nullptr, 0);
    if (pid < 0) return last_errno();
    if (pid == 0) reset_signals();
    return Child{static_cast<pid_t>(pid), UniqueFd{pid == 0 ? -1 : pidfd}};
}

Result<UniqueFd> pidfd_open(pid_t pid) {
    const long fd = ::syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return last_errno();
    return UniqueFd{static_cast<int>(fd)};
}

Result<void> pidfd_send_signal(FdRef pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) < 0) return last_errno();
    return {};
}

Result<std::optional<bool>> is_dumpable(FdRef pidfd) {
    PidfdInfo info{};
    info.mask = kPidfdInfoCoredump;
    if (::ioctl(pidfd.get(), kPidfdGetInfo, &info) < 0) return last_errno();
    if ((info.mask & kPidfdInfoCoredump) == 0) return std::optional<bool>{};
    return std::optional{(info.coredump_mask & kPidfdCoredumpUser) != 0};
}

Result<std::uint64_t> pidfd_inode(FdRef pidfd) {
    struct statfs filesystem {};
    struct stat status {};
    if (::fstatfs(pidfd.get(), &filesystem) < 0 || ::fstat(pidfd.get(), &status) < 0)
        return last_errno();
    if (filesystem.f_type != PID_FS_MAGIC) return Errno{ENOTTY};
    return status.st_ino;
}

Result<pid_t> pidfd_number(FdRef pidfd) {
    const auto info = read_file("/proc/self/fdinfo/" + std::to_string(pidfd.get()));
    if (!info) return Errno{info.error()};
    constexpr std::string_view kKey = "\nPid:\t";
    const auto at = info.value().find(kKey);
    if (at == std::string::npos) return Errno{EBADF};
    // -1: reaped.
    const int number = std::atoi(info.value().c_str() + at + kKey.size());
    if (number <= 0) return Errno{ESRCH};
    return static_cast<pid_t>(number);
}

Result<UniqueFd> pidfd_pid_namespace(FdRef pidfd) {
    const int fd = ::ioctl(pidfd.get(), PIDFD_GET_PID_NAMESPACE, 0);
    if (fd < 0) return last_errno();
    UniqueFd name_space{fd};
    // The kernel makes it close-on-exec (fs/pidfs.c, open_namespace); it costs nothing to be sure.
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return last_errno();
    return name_space;
}

Result<ExitStatus> wait_process(FdRef pidfd) {
    auto status = wait_with(pidfd, 0);
    if (!status) return Errno{status.error()};
    return *status.value();
}

Result<std::optional<ExitStatus>> try_wait_process(FdRef pidfd) {
    return wait_with(pidfd, WNOHANG);
}

Result<std::optional<ExitStatus>> peek_exit(FdRef pidfd) {
    return wait_with(pidfd, WNOHANG | WNOWAIT);
}

bool is_child(FdRef pidfd) noexcept {
    siginfo_t info{};
    return ::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info,
                    WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

bool wait_ended(FdRef pidfd, int milliseconds) {
    pollfd entry{pidfd.get(), POLLIN, 0};
    int result = 0;
    do
        result = ::poll(&entry, 1, milliseconds);
    while (result < 0 && errno == EINTR);
    return result > 0;
}

Errno exec_fd(FdRef program, const std::vector<std::string>& args,
              const std::vector<std::string>& env) {
    ::syscall(SYS_execveat, program.get(), "", pointers(args).data(), pointers(env).data(),
              AT_EMPTY_PATH);
    return last_errno();
}

Errno exec_path(const std::string& path, const std::vector<std::string>& args,
                const std::vector<std::string>& env) {
    ::execve(path.c_str(), pointers(args).data(), pointers(env).data());
    return last_errno();
}

Result<Child> spawn(const SpawnArguments& arguments) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    // First copy every descriptor above all targets, so that no dup2 below hits one still needed.
    std::vector<UniqueFd> copies;
    const int first_free = 3 + static_cast<int>(arguments.keep.size()) + 1;
    const auto lift = [&](FdRef fd) {
        copies.emplace_back(::fcntl(fd.get(), F_DUPFD_CLOEXEC, first_free));
        return copies.back().get();
    };
    const int program = lift(arguments.program);
    int target = 3;
    for (const auto& fd : arguments.keep)
        posix_spawn_file_actions_adddup2(&actions, lift(fd), target++);
    // The path is resolved in the child, so `program` must be open there until exec: it is
    // close-on-exec. Everything else that a careless caller left inheritable goes here.
    const int last_copy = copies.back().get();
    for (int fd = target; fd < program; ++fd)
        posix_spawn_file_actions_addclose(&actions, fd);
    posix_spawn_file_actions_addclosefrom_np(&actions, std::max(program, last_copy) + 1);

    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    const std::string path = "/proc/self/fd/" + std::to_string(program);
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, path.c_str(), &actions, &attributes, pointers(arguments.args).data(),
                      pointers(arguments.env).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) return Errno{error};
    auto pidfd = pidfd_open(pid);  // our own child, not reaped yet: the number is still its
    if (!pidfd) return Errno{pidfd.error()};
    return Child{pid, std::move(pidfd).value()};
}

Result<void> close_all_except(std::span<const int> keep) {
    std::vector<int> sorted{keep.begin(), keep.end()};
    std::sort(sorted.begin(), sorted.end());
    unsigned next = 3;
    for (const int fd : sorted) {
        const auto kept = static_cast<unsigned>(fd);
        if (fd < 3 || kept < next) continue;
        if (kept > next && ::syscall(SYS_close_range, next, kept - 1, 0) < 0) return last_errno();
        next = kept + 1;
    }
    if (::syscall(SYS_close_range, next, ~0U, 0) < 0) return last_errno();
    return {};
}

Result<void> set_name(const char* name) {
    if (::prctl(PR_SET_NAME, name) < 0) return last_errno();
    return {};
}

Result<void> set_dumpable(bool on) {
    if (::prctl(PR_SET_DUMPABLE, on ? 1 : 0) < 0) return last_errno();
    return {};
}

bool is_dumpable() noexcept {
    return ::prctl(PR_GET_DUMPABLE) == 1;
}

Result<void> set_parent_death_signal(int signal) {
    if (::prctl(PR_SET_PDEATHSIG, signal) < 0) return last_errno();
    return {};
}

}  // namespace covey::sys
