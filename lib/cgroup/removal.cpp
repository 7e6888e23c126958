// Removing a tree of groups that somebody else may have made: depth first, by walk.hpp's Place.
#include "cgroup/short_pause.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/walk.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>

namespace covey::cgroup {
namespace {

using Clock = std::chrono::steady_clock;

/// EBUSY: tasks, or groups below (cgroupfs answers the same for both). Gone is removed.
Result<void> remove_one(FdRef above, std::string_view name) {
    const auto removed = sys::rmdir_at(above, name);
    if (removed || removed.error() == ENOENT || removed.error() == ENODEV) return {};
    return removed.error() == ENOTEMPTY ? Result<void>{Errno{EBUSY}} : removed;
}

/// Once through all below `place`; what is busy stays. EAGAIN: the time was over first.
Result<void> remove_below(Place place, Clock::time_point deadline) {
    while (Clock::now() < deadline) {
        const auto next = place.take_next();
        if (next.empty()) {
            if (place.depth() == 0) return {};
            const auto name = place.name();
            if (const auto left = place.leave(); !left) return left;
            if (const auto removed = remove_one(place.group(), name);
                !removed && removed.error() != EBUSY)
                return removed;
            continue;
        }
        const auto removed = remove_one(place.group(), next);
        if (removed) continue;
        if (removed.error() != EBUSY) return removed;
        if (const auto entered = place.enter(next); !entered) return Errno{entered.error()};
    }
    return Errno{EAGAIN};
}

}  // namespace

Result<void> remove_group(const std::string& mount, std::string_view path,
                          std::chrono::milliseconds patience, std::chrono::milliseconds whole) {
    const auto above = parent_path(path);
    auto parent = above.empty() ? sys::open_dir(mount) : open_group(mount, above);
    if (!parent)
        return parent.error() == ENOENT ? Result<void>{} : Result<void>{Errno{parent.error()}};
    const auto name = path.substr(path.rfind('/') + 1);
    auto until = Clock::time_point::max();
    auto removed = remove_one(parent.value(), name);
    while (!removed && removed.error() == EBUSY) {
        const auto group = open_beneath(parent.value(), name);
        if (!group) return group.error() == ENOENT ? Result<void>{} : Errno{group.error()};
        auto place = Place::at(group.value());
        if (!place && place.error() == ENOENT) return {};
        if (!place) return Errno{place.error()};
        // From here on: the list of a wide folder takes its time, and each try shall remove some.
        const auto end = Clock::now() + whole;
        if (const auto below = remove_below(std::move(place).value(), end); !below) return below;
        removed = remove_one(parent.value(), name);
        if (removed || patience.count() == 0 || Clock::now() >= until) return removed;
        // From the end of the first time through all, which may have been long.
        until = std::min(until, Clock::now() + patience);
        short_pause();
    }
    return removed;
}

}  // namespace covey::cgroup
