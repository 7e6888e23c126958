#include "cgroup/freezer_v1.hpp"

#include "cgroup/short_pause.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/turns.hpp"
#include "cgroup/walk.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

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

void kill_listed(FdRef group) {
    (void)Signalling{group, SIGKILL}.turn(TurnClock::time_point::max());
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
    (void)walk_groups(group, [](const Visit& visit) {
        thaw_v1(visit.group);
        return Onward::yes;
    });
}

UniqueFd foreign_freezer(const Host& host, const Placement& placement) {
    const auto freezer = host.v1.find("freezer");
    if (host.unified.empty() || freezer == host.v1.end()) return {};
    auto group = open_group(freezer->second, placement.in(freezer->second));
    return group ? std::move(group).value() : UniqueFd{};
}

void thaw_foreign_freezer(const Host& host, const Placement& placement) {
    if (const auto group = foreign_freezer(host, placement)) thaw_all_v1(group);
}

void kill_v1(FdRef group, const std::string& path) {
    const auto deadline = Clock::now() + kKillLimit;
    while (has_processes(group)) {
        // Who stands still does not fork: sent to all of them, it waits for them to go on.
        if (read_control(group, "freezer.parent_freezing") == "1") {
            return kill_listed(group);
        }
        {
            const ThawAtEnd thaw{group};
            // Half frozen is good enough for one round; what escapes meets the next.
            (void)freeze_v1(group, kFreezeForKill);
            kill_listed(group);
        }
        if (Clock::now() >= deadline)
            throw Error(Code::timeout, fmt::format("kill cgroup {}: not empty {} ms after SIGKILL",
                                                   path, kKillLimit.count()))
                .with_fix(
                    "processes in uninterruptible sleep (state D) cannot be killed: see "
                    "/proc/<pid>/stack for what they wait for");
        short_pause();
    }
}

}  // namespace covey::cgroup
