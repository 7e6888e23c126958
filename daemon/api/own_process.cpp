#include "api/own_process.hpp"

#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <ctime>

#include <fcntl.h>
#include <unistd.h>

namespace covey::daemon {
namespace {

double seconds_of(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

OwnProcess own_process() {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto stat = sys::read_stat(proc, ::getpid()).or_throw("read", "/proc/self/stat");
    const auto folder =
        sys::open_at(proc, "self/fd", O_RDONLY | O_DIRECTORY).or_throw("open", "/proc/self/fd");
    const auto descriptors = sys::list_dir(folder).or_throw("list", "/proc/self/fd");
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    OwnProcess own;
    // The kernel counts a process's start from boot, sleep included.
    own.start_time_seconds = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) +
                             static_cast<double>(stat.start_time) / ticks;
    own.cpu_seconds = static_cast<double>(stat.cpu_ticks) / ticks;
    own.resident_bytes = stat.rss_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    own.open_descriptors = descriptors.size() - 3;  // ours: proc, folder, and the listing's
    return own;
}

}  // namespace covey::daemon
