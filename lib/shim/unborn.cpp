#include "shim/unborn.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <csignal>
#include <exception>

namespace covey::shim {

void reap_unborn(const cgroup::Host& host, const std::string& group) noexcept {
    constexpr int kLimitMs = 1000;
    constexpr std::size_t kMostText = 1U << 20U;
    try {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        // proc_pid_children(5): a single thread's children are all that the process has.
        const auto children =
            sys::read_file_at(proc, "thread-self/children", kMostText).or_throw("read", "children");
        for (const auto word : split(trim(children), ' ')) {
            const auto number = parse_u32(word);
            if (!number) continue;
            const auto pid = static_cast<pid_t>(*number);
            // A child's number is its own until it is reaped, and a zombie still has its group.
            if (!cgroup::is_in_group(cgroup::identity_of(host, proc, pid), group)) continue;
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
