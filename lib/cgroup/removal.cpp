// Removing a tree of groups that somebody else may have made: depth first, by walk.hpp's Place.
#include "cgroup/cgroup.hpp"
#include "cgroup/short_pause.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/turns.hpp"
#include "covey/error.hpp"
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

/// The group alone. EBUSY: there is something in it, or below.
Result<void> remove_empty(const std::string& mount, std::string_view path) {
    const auto above = parent_path(path);
    auto parent = above.empty() ? sys::open_dir(mount) : open_group(mount, above);
    if (parent) return remove_one(parent.value(), path.substr(path.rfind('/') + 1));
    return parent.error() == ENOENT ? Result<void>{} : Result<void>{Errno{parent.error()}};
}

/// Once through all below `place`; what is busy stays. EAGAIN: the time was over first.
Result<void> remove_below(Place& place, Clock::time_point deadline) {
    while (Clock::now() < deadline) {
        const auto taken = place.take_next();
        if (!taken) return Errno{taken.error()};
        const auto& next = taken.value();
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
        const auto end = Clock::now() + whole;
        if (const auto below = remove_below(place.value(), end); !below) return below;
        removed = remove_one(parent.value(), name);
        if (removed || patience.count() == 0 || Clock::now() >= until) return removed;
        // From the end of the first time through all, which may have been long.
        until = std::min(until, Clock::now() + patience);
        short_pause();
    }
    return removed;
}

Removal::Removal(const Host& host, Placement group) : group_(std::move(group)) {
    // The identity last: by it the group is found, whenever its remover is killed.
    mounts_.push_back(host.identity_mount());
    for (const auto& [controller, mount] : host.v1)
        if (std::find(mounts_.begin(), mounts_.end(), mount) == mounts_.end())
            mounts_.push_back(mount);
}

Removal::Left Removal::turn(TurnClock::time_point until) {
    while (!mounts_.empty()) {
        const auto left = remove_from(mounts_.back(), until);
        if (left != Left::nothing) return left;
        mounts_.pop_back();
    }
    return Left::nothing;
}

Removal::Left Removal::remove_from(const std::string& mount, TurnClock::time_point until) {
    const auto& path = group_.in(mount);
    const auto dir = mount + path;
    const auto is_removed = [&] {
        const auto removed = remove_empty(mount, path);
        if (!removed && removed.error() != EBUSY) removed.or_throw("remove cgroup", dir);
        return removed.has_value();
    };
    if (!place_) {
        if (is_removed()) return Left::nothing;
        const auto group = open_group(mount, path);
        if (!group && group.error() == ENOENT) return Left::nothing;
        if (!group) throw Error::from_errno(group.error(), "open cgroup", dir);
        place_ = Place::at(group.value()).or_throw("list cgroup", dir);
    }
    const auto below = remove_below(*place_, until);
    if (below.error() == EAGAIN) return Left::groups;
    place_.reset();
    below.or_throw("remove cgroups below", dir);
    return is_removed() ? Left::nothing : Left::processes;
}

}  // namespace covey::cgroup
