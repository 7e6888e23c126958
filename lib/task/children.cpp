#include "task/children.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <string>

#include <poll.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::task {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPatience{1000};  // with a tracer

/// The thread goes on with the signal that it stopped for, as it would without a tracer. A stop
/// that is not a signal's (an event's) has none.
void let_go(const siginfo_t& info) {
    const int signal = info.si_status >= 1 && info.si_status <= SIGRTMAX ? info.si_status : 0;
    (void)::ptrace(PTRACE_DETACH, info.si_pid, nullptr, static_cast<long>(signal));
}

}  // namespace

std::optional<siginfo_t> any_child(int flags) {
    siginfo_t info{};
    int result = 0;
    do
        result = ::waitid(P_ALL, 0, &info, flags | WNOHANG | __WALL);
    while (result < 0 && errno == EINTR);
    if (result < 0 || info.si_pid == 0) return std::nullopt;
    return info;
}

sys::ExitStatus status_of(const siginfo_t& info) {
    if (info.si_code == CLD_EXITED) return {info.si_status, 0};
    return {128 + info.si_status, info.si_status};
}

bool release(const siginfo_t& told) {
    if (told.si_code == CLD_TRAPPED) let_go(told);
    // A child that is only stopped (job control) needs nothing.
    return told.si_code == CLD_TRAPPED || told.si_code == CLD_STOPPED;
}

bool release_stopped() {
    const auto stopped = any_child(WSTOPPED);
    if (stopped) (void)release(*stopped);
    return stopped.has_value();
}

std::optional<sys::ExitStatus> status_of_ended(pid_t pid, End how_far) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto stat = sys::read_stat(proc, pid).or_throw("read stat of", "a child");
    const bool is_zombie = stat.state == 'Z' || stat.state == 'X';
    if (!is_zombie && !(how_far == End::begun && stat.is_exiting)) return std::nullopt;
    const int how = stat.exit_code;  // as wait(2) has it
    if (WIFSIGNALED(how)) return sys::ExitStatus{128 + WTERMSIG(how), WTERMSIG(how)};
    return sys::ExitStatus{WEXITSTATUS(how), 0};
}

void tend_children(pid_t kept) noexcept {
    // A turn's worth: a container may end children faster than they are counted.
    for (int left = 256; left > 0 && release_stopped(); --left) {
    }
    for (int left = 256; left > 0; --left) {
        // Looked at first, for its number is its own until it is reaped.
        const auto ended = any_child(WEXITED | WNOWAIT);
        if (!ended || ended->si_pid == kept) return;
        siginfo_t info{};
        (void)::waitid(P_PID, static_cast<id_t>(ended->si_pid), &info, WEXITED | WNOHANG | __WALL);
        (void)release(info);
    }
}

sys::ExitStatus take_status(FdRef ended) {
    // Asked first: the number is the child's own until it is reaped.
    const auto number = sys::pidfd_number(ended).or_throw("look up", "a child");
    // Most tracers wait for their tracees; then it leaves no zombie to whoever inherits it.
    constexpr int kAgain = 5;  // milliseconds
    const auto deadline = Clock::now() + kPatience;
    do {
        if (const auto status = sys::try_wait_process(ended).or_throw("wait for", "a child"))
            return *status;
        (void)::poll(nullptr, 0, kAgain);
    } while (Clock::now() < deadline);
    if (const auto status = status_of_ended(number, End::begun)) return *status;
    return sys::wait_process(ended).or_throw("wait for", "a child");
}

namespace {

/// Of the only thread. A kernel without the list (PROC_CHILDREN) has all processes looked at.
std::set<pid_t> list_children() {
    std::set<pid_t> children;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    constexpr std::size_t kMost = 16U << 20U;
    if (const auto list = sys::read_file_at(proc, "thread-self/children", kMost)) {
        for (const auto word : split(list.value(), ' '))
            if (const auto pid = parse_u32(word)) children.insert(static_cast<pid_t>(*pid));
        return children;
    }
    for (const pid_t pid : sys::list_processes(proc).or_throw("list", "processes"))
        if (const auto stat = sys::read_stat(proc, pid); stat && stat.value().ppid == ::getpid())
            children.insert(pid);
    return children;
}

}  // namespace

OwnChildren::OwnChildren() : before_(list_children()) {
}

void OwnChildren::kill_others() const noexcept {
    try {
        for (const pid_t pid : list_children()) {
            if (before_.contains(pid)) continue;
            // An unreaped child keeps its number.
            if (const auto child = sys::pidfd_open(pid))
                (void)sys::pidfd_send_signal(child.value(), SIGKILL);
        }
    } catch (const Error&) {
        // Without a descriptor to look with: who waits for them is told who is left.
    }
}

void reap_all_children(std::chrono::milliseconds limit) noexcept {
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &set, &before);
    const auto deadline = Clock::now() + limit;
    while (Clock::now() < deadline) {
        while (const auto told = any_child(WEXITED | WSTOPPED))
            (void)release(*told);
        siginfo_t info{};
        if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 && errno == ECHILD)
            break;
        const timespec wait{0, 20'000'000};
        (void)::sigtimedwait(&set, nullptr, &wait);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace covey::task
