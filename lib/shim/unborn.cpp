#include "shim/unborn.hpp"

#include "base/log.hpp"
#include "covey/error.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <csignal>
#include <exception>

#include <unistd.h>

namespace covey::shim {

void reap_unborn(const cgroup::Host& host, const std::string& group) noexcept {
    constexpr int kLimitMs = 1000;
    try {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        for (const pid_t pid : sys::list_processes(proc).or_throw("list", "processes")) {
            const auto stat = sys::read_stat(proc, pid);
            if (!stat || stat.value().ppid != ::getpid()) continue;
            // A child's number is its own until it is reaped, and a zombie still has its group.
            const auto where = cgroup::identity_of(host, proc, pid);
            if (where != group && !where.starts_with(group + "/")) continue;
            const auto process = sys::pidfd_open(pid);
            if (!process) continue;
            (void)sys::pidfd_send_signal(process.value(), SIGKILL);
            if (sys::wait_ended(process.value(), kLimitMs))
                (void)sys::try_wait_process(process.value());
        }
    } catch (const std::exception& error) {
        log::warning("cannot look for children of a failed launch", {{"error", error.what()}});
    }
}

}  // namespace covey::shim
