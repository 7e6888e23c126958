#include "sys/inherited_state.hpp"

#include "sys/file.hpp"
#include "sys/last_errno.hpp"
#include "sys/scheduling.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace covey::sys {
namespace {

/// Zero is "none" of each; a kernel without NUMA has no memory policies.
Result<void> reset_memory_policy() {
    if (::syscall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0) < 0 && errno != ENOSYS)
        return last_errno();
    return {};
}

Result<void> reset_securebits() {
    if (::prctl(PR_GET_SECUREBITS) == 0) return {};
    return checked(::prctl(PR_SET_SECUREBITS, 0));
}

/// core(5): anonymous memory, ELF headers and private huge pages.
Result<void> reset_coredump_filter() {
    constexpr const char* kFile = "/proc/self/coredump_filter";
    const auto now = read_file(kFile);
    // A kernel without core dumps has no such file. Where /proc is read-only, most often nothing is
    // to be done.
    if (!now && now.error() == ENOENT) return {};
    if (now && now.value().starts_with("00000033")) return {};
    return write_existing(kFile, "0x33");
}

}  // namespace

Result<void> open_missing_streams() {
    for (int fd = 0; fd < 3; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        // The lowest number that is free: exactly this one. Inherited on purpose.
        auto null = sys::open("/dev/null", O_RDWR);
        if (!null) return Errno{null.error()};
        if (const auto kept = set_cloexec(FdRef{null.value().release()}, false); !kept) return kept;
    }
    return {};
}

bool is_ignored(int signal) noexcept {
    struct sigaction now {};
    return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

void reset_signals_and_timers() noexcept {
    const itimerval none{};
    for (const int timer : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF})
        ::setitimer(timer, &none, nullptr);
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
        const bool is_meant = signal == SIGHUP || signal == SIGINT || signal == SIGQUIT;
        if (!is_meant && is_ignored(signal)) std::signal(signal, SIG_DFL);
    }
    sigset_t empty{};
    sigemptyset(&empty);
    ::sigprocmask(SIG_SETMASK, &empty, nullptr);
}

std::optional<Unshed> shed_inherited_state() {
    constexpr unsigned long kUsualSlack = 50'000;  // nanoseconds
    const std::array<std::pair<const char*, Result<void>>, 7> all{
        {{"CPU affinity", set_cpu_affinity_to_all()},
         {"memory policy", reset_memory_policy()},
         {"personality", set_personality(0)},
         {"coredump filter", reset_coredump_filter()},
         {"timer slack", checked(::prctl(PR_SET_TIMERSLACK, kUsualSlack))},
         {"transparent huge pages", checked(::prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0))},
         {"securebits", reset_securebits()}}};
    for (const auto& [what, done] : all)
        if (!done) return Unshed{what, done.error()};
    return std::nullopt;
}

}  // namespace covey::sys
