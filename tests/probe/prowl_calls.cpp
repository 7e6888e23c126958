// System calls as a way into another process.
#include "probe.hpp"
#include "prowl.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace probe {
namespace {

// linux/pidfd.h of 6.9, 6.11 and 6.13.
constexpr unsigned long kGetNamespaceFirst = 1, kGetNamespaceLast = 10;
constexpr unsigned kPidfsMagic = 0xFF;
struct PidfdInfo {
    std::uint64_t mask, cgroup;
    std::uint32_t numbers[12];
};

std::string secret_of(pid_t pid) {
    char bytes[sizeof g_secret] = {};
    iovec here{bytes, sizeof bytes}, there{g_secret, sizeof bytes};
    const auto got = process_vm_readv(pid, &here, 1, &there, 1, 0);
    return {bytes, got < 0 ? 0 : static_cast<std::size_t>(got)};
}

/// Traced: its memory word by word, then let go.
void rob_tracee(Loot& loot, pid_t pid, bool seized) {
    loot.reach("ptrace");
    if (seized) ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
    int status = 0;
    waitpid(pid, &status, __WALL);
    std::string bytes;
    for (std::size_t at = 0; at < sizeof g_secret; at += sizeof(long)) {
        const long word = ptrace(PTRACE_PEEKDATA, pid, g_secret + at, nullptr);
        bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    loot.look("ptrace", bytes);
    ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
}

long open_perf(pid_t pid) {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_SW_TASK_CLOCK;
    attributes.exclude_kernel = 1;
    return syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/// What the kernel tells whoever asks: numbers, no content (docs/sharing.md lists them).
void ask_for_numbers(Loot& loot, pid_t pid) {
    const auto told = [&](const char* way, long result) {
        ++loot.tries;
        if (result >= 0) loot.exist(way);
    };
    rlimit limit{};
    cpu_set_t cpus;
    sched_param parameter{};
    char attributes[128];
    timespec time{};
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, pid};
    __user_cap_data_struct data[2];
    errno = 0;
    const int nice = getpriority(PRIO_PROCESS, static_cast<id_t>(pid));
    told("getpriority", nice == -1 && errno != 0 ? -1 : 0);
    told("getpgid", getpgid(pid));
    told("getsid", getsid(pid));
    told("prlimit", prlimit(pid, RLIMIT_NOFILE, nullptr, &limit));
    told("sched_getaffinity", sched_getaffinity(pid, sizeof cpus, &cpus));
    told("sched_getscheduler", sched_getscheduler(pid));
    told("sched_getparam", sched_getparam(pid, &parameter));
    told("sched_getattr", syscall(SYS_sched_getattr, pid, attributes, sizeof attributes, 0));
    told("sched_rr_get_interval", sched_rr_get_interval(pid, &time));
    told("ioprio_get", syscall(SYS_ioprio_get, 1, pid));
    told("capget", syscall(SYS_capget, &header, data));
    // clock_getcpuclockid(3)'s number.
    told("cpu clock",
         clock_gettime(static_cast<clockid_t>(~static_cast<unsigned>(pid) << 3U | 2U), &time));
}

void rob_descriptors(Loot& loot, int pidfd) {
    for (int number = 0; number < 10; ++number) {
        ++loot.tries;
        const long got = syscall(SYS_pidfd_getfd, pidfd, number, 0);
        if (got < 0) continue;
        loot.reach("pidfd_getfd");
        char bytes[256];
        const auto size = pread(static_cast<int>(got), bytes, sizeof bytes, 0);
        if (size > 0) loot.look("pidfd_getfd", {bytes, static_cast<std::size_t>(size)});
        close(static_cast<int>(got));
    }
}

void try_namespaces(Loot& loot, int pidfd) {
    for (auto number = kGetNamespaceFirst; number <= kGetNamespaceLast; ++number) {
        ++loot.tries;
        const int got = ioctl(pidfd, _IO(kPidfsMagic, number), 0);
        if (got < 0) continue;
        loot.reach("a namespace by its pidfd");
        close(got);
    }
    for (const int flag : {CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWIPC, CLONE_NEWUTS}) {
        ++loot.tries;
        if (setns(pidfd, flag) == 0) loot.reach("setns");
    }
}

/// SIGIO goes to whoever is named as the descriptor's owner.
void signal_by_descriptor(pid_t pid) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return;
    fcntl(pair[0], F_SETOWN, pid);
    fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK);
    (void)!write(pair[1], "x", 1);
    close(pair[0]);
    close(pair[1]);
}

}  // namespace

void try_calls(Loot& loot, pid_t pid) {
    const auto succeeded = [&](const char* way, long result) {
        ++loot.tries;
        if (result < 0) return false;
        loot.reach(way);
        return true;
    };
    loot.tries += 2;
    if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0) rob_tracee(loot, pid, true);
    if (ptrace(PTRACE_ATTACH, pid, nullptr, nullptr) == 0) rob_tracee(loot, pid, false);
    const auto secret = secret_of(pid);
    if (succeeded("process_vm_readv", secret.empty() ? -1 : 0))
        loot.look("process_vm_readv", secret);
    char bytes[sizeof g_secret] = "";
    iovec here{bytes, 1}, there{g_secret + sizeof bytes - 1, 1};
    succeeded("process_vm_writev", process_vm_writev(pid, &here, 1, &there, 1, 0));
    for (const int type : {KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO})
        succeeded("kcmp", syscall(SYS_kcmp, getpid(), pid, type, 0, 0));
    void* head = nullptr;
    std::size_t size = 0;
    succeeded("get_robust_list", syscall(SYS_get_robust_list, pid, &head, &size));
    void* page = g_secret;
    int where = 0;
    succeeded("move_pages", syscall(SYS_move_pages, pid, 1UL, &page, nullptr, &where, 0));
    if (const long fd = open_perf(pid); succeeded("perf_event_open", fd))
        close(static_cast<int>(fd));
    ask_for_numbers(loot, pid);
}

void try_pidfd(Loot& loot, pid_t pid) {
    ++loot.tries;
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (pidfd < 0) return;
    loot.exist("pidfd_open");
    PidfdInfo info{7, 0, {}};
    if (ioctl(pidfd, _IOWR(kPidfsMagic, 11, PidfdInfo), &info) == 0) loot.exist("PIDFD_GET_INFO");
    rob_descriptors(loot, pidfd);
    try_namespaces(loot, pidfd);
    iovec range{g_secret, 1};
    loot.tries += 2;
    if (syscall(SYS_process_madvise, pidfd, &range, 1UL, MADV_COLD, 0) >= 0)
        loot.reach("process_madvise");
    if (syscall(SYS_process_mrelease, pidfd, 0) == 0) loot.reach("process_mrelease");
    siginfo_t status{};
    if (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &status,
               WEXITED | WNOHANG) == 0)
        loot.reach("waitid");
    close(pidfd);
}

void try_signals(Loot& loot, pid_t pid) {
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    for (const int signal : {0, SIGCONT, SIGHUP, SIGSTOP, SIGTERM, SIGKILL}) {
        const auto sent = [&](const char* way, long result) {
            ++loot.tries;
            if (result == 0) loot.reach(way);
            if (result != 0 && errno == EPERM) loot.exist(way);
        };
        sent("kill", kill(pid, signal));
        if (pid > 1) sent("kill of a group", kill(-pid, signal));
        sent("tgkill", syscall(SYS_tgkill, pid, pid, signal));
        sent("tkill", syscall(SYS_tkill, pid, signal));
        info.si_signo = signal;
        sent("rt_sigqueueinfo", syscall(SYS_rt_sigqueueinfo, pid, signal, &info));
        if (pidfd >= 0)
            sent("pidfd_send_signal", syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
    }
    if (pidfd >= 0) close(pidfd);
    signal_by_descriptor(pid);
}

}  // namespace probe
