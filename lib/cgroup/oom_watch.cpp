#include "cgroup/oom_watch.hpp"

#include "cgroup/oci_group.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace covey::cgroup {
namespace {

/// v2: what the kernel counted; nothing when the group is gone.
std::optional<std::uint64_t> oom_count(FdRef events) {
    std::array<char, 512> text{};
    const auto got = ::pread(events.get(), text.data(), text.size(), 0);
    if (got <= 0) return std::nullopt;
    // `oom_kill`: somebody was killed. `oom` alone also counts what reclaim could mend.
    return keyed_number({text.data(), static_cast<std::size_t>(got)}, "oom_kill");
}

}  // namespace

OomWatch::OomWatch(const Host& host, const Group& group) {
    const auto& offered = host.unified_controllers;
    is_v2_ = std::find(offered.begin(), offered.end(), "memory") != offered.end();
    const auto v1 = host.v1.find("memory");
    if (!is_v2_ && v1 == host.v1.end())
        throw Error(Code::unsupported_by_host,
                    "no cgroup hierarchy has the memory controller: nothing tells of its end")
            .with_fix("mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory");
    if (!is_v2_) {
        // v1 tells those whose limit it is and all below them: `main` has limits too.
        watch_v1(processes_folder(v1->second, group.placement().in(v1->second)));
        return;
    }
    file_ = host.unified + group.path() + "/memory.events";
    fd_ = sys::open(file_, O_RDONLY).or_throw("watch", file_);
    seen_ = oom_count(fd_).value_or(0);
}

void OomWatch::watch_v1(const std::string& dir) {
    file_ = dir + "/memory.oom_control";
    memory_ = sys::open(file_, O_RDONLY).or_throw("watch", file_);
    fd_ = UniqueFd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!fd_) throw Error::from_errno(errno, "make", "eventfd");
    sys::write_existing(dir + "/cgroup.event_control",
                        fmt::format("{} {}", fd_.get(), memory_.get()))
        .or_throw("write", dir + "/cgroup.event_control");
}

short OomWatch::poll_events() const noexcept {
    return is_v2_ ? POLLPRI : POLLIN;
}

std::uint64_t OomWatch::take() {
    if (is_v2_) {
        const auto count = oom_count(fd_).value_or(seen_);
        return count - std::exchange(seen_, count);
    }
    std::uint64_t count = 0;
    if (::read(fd_.get(), &count, sizeof count) != sizeof count) return 0;
    return is_over() ? 0 : count;
}

bool OomWatch::is_over() const {
    return !sys::stat_at(sys::kCwd, file_).has_value();
}

}  // namespace covey::cgroup
