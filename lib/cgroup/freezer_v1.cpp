#include "cgroup/freezer_v1.hpp"

#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include <unistd.h>

namespace covey::cgroup {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kKillLimit{2000};
constexpr std::chrono::milliseconds kFreezeForKill{50};
constexpr long kPauseNs = 500'000;

void short_pause() {
    const timespec time{0, kPauseNs};
    ::nanosleep(&time, nullptr);
}

/// Thaws whatever happens: also when a kill throws half-way.
class ThawAtEnd {
  public:
    explicit ThawAtEnd(FdRef group) : group_(group) {}
    ThawAtEnd(const ThawAtEnd&) = delete;
    ThawAtEnd& operator=(const ThawAtEnd&) = delete;
    ~ThawAtEnd() {
        try {
            thaw_all_v1(group_);
        } catch (const std::exception&) {
            // The next round, or the caller's own thaw, tries again.
            (void)sys::write_existing_at(group_, "freezer.state", "THAWED");
        }
    }

  private:
    FdRef group_;
};

bool is_below(std::string_view path, std::string_view group) {
    return path.starts_with(group) && (path.size() == group.size() || path[group.size()] == '/');
}

/// By pidfd, and only after a second look at whose process it is: when the freezer was not quick
/// enough the number may be somebody else's by now.
void kill_member(const Host& host, FdRef proc, std::string_view path, pid_t pid) {
    const auto process = sys::pidfd_open(pid);
    if (!process || !is_below(identity_of(host, proc, pid), path)) return;
    (void)sys::pidfd_send_signal(process.value(), SIGKILL);  // gone already: as good as killed
}

}  // namespace

bool freeze_v1(FdRef group, std::chrono::milliseconds limit) {
    const auto deadline = Clock::now() + limit;
    while (true) {
        // Written again each time: a task that was forked meanwhile is frozen by the next write.
        sys::write_existing_at(group, "freezer.state", "FROZEN").or_throw("freeze", "cgroup");
        if (read_control(group, "freezer.state") == "FROZEN") return true;
        if (Clock::now() >= deadline) return false;
        short_pause();
    }
}

void thaw_v1(FdRef group) {
    const auto thawed = sys::write_existing_at(group, "freezer.state", "THAWED");
    if (!thawed && thawed.error() != ENOENT && thawed.error() != ENODEV)
        thawed.or_throw("thaw", "cgroup");
}

void thaw_all_v1(FdRef group) {
    visit_groups(group, thaw_v1);
}

void kill_v1(const Host& host, FdRef group, const std::string& path) {
    const auto proc = sys::open_dir("/proc").or_throw("open", "/proc");
    const auto deadline = Clock::now() + kKillLimit;
    while (true) {
        const auto members = processes_of(group);
        if (members.empty()) return;
        // Who stands still does not fork: sent to all of them, it waits for them to go on.
        if (read_control(group, "freezer.parent_freezing") == "1") {
            for (const pid_t pid : members)
                kill_member(host, proc, path, pid);
            return;
        }
        {
            const ThawAtEnd thaw{group};
            // Half frozen is good enough for one round; what escapes meets the next.
            (void)freeze_v1(group, kFreezeForKill);
            for (const pid_t pid : processes_of(group))
                kill_member(host, proc, path, pid);
        }
        if (Clock::now() >= deadline)
            throw Error(Code::timeout, fmt::format("kill cgroup {}: {} processes are still alive",
                                                   path, members.size()))
                .with_fix(
                    "processes in uninterruptible sleep (state D) cannot be killed: see "
                    "/proc/<pid>/stack for what they wait for");
        short_pause();
    }
}

}  // namespace covey::cgroup
