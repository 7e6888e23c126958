#include "cgroup/walk.hpp"

#include "base/text.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>

namespace covey::cgroup {
namespace {

constexpr std::size_t kProcsLimit = 64U << 20U;

}  // namespace

Result<Place> Place::at(FdRef group) {
    auto begin = sys::open_dir_at(group, ".");
    if (!begin) return Errno{begin.error()};
    Place place;
    if (const auto arrived = place.arrive(std::move(begin).value(), {}); !arrived)
        return Errno{arrived.error()};
    return place;
}

Result<void> Place::arrive(UniqueFd group, std::string name) {
    const auto status = sys::stat_fd(group);
    if (!status) return Errno{status.error()};
    Step step{std::move(name), status.value().st_ino, {}};
    // kernfs counts the folders in a folder among its links: without any the list, which is long
    // because of the control files, need not be read (kernfs_refresh_inode).
    constexpr nlink_t kNoneBelow = 2;
    if (status.value().st_nlink != kNoneBelow) {
        auto below = sys::list_folders(group);
        if (!below && !is_gone(below.error())) return Errno{below.error()};
        if (below) step.next = std::move(below).value();
        std::reverse(step.next.begin(), step.next.end());
    }
    here_ = std::move(group);
    way_.push_back(std::move(step));
    return {};
}

std::string Place::take_next() {
    auto& next = way_.back().next;
    if (next.empty()) return {};
    auto name = std::move(next.back());
    next.pop_back();
    return name;
}

Result<bool> Place::enter(const std::string& name) {
    auto below = open_beneath(here_, name);
    if (!below && is_gone(below.error())) return false;
    if (!below) return Errno{below.error()};
    if (const auto arrived = arrive(std::move(below).value(), name); !arrived)
        return Errno{arrived.error()};
    return true;
}

Result<void> Place::leave() {
    auto above = sys::open_dir_at(here_, "..");
    if (!above) return Errno{above.error()};
    const auto status = sys::stat_fd(above.value());
    if (!status) return Errno{status.error()};
    // A group is never moved to another parent (kernfs): to be safe against what is not known yet.
    if (status.value().st_ino != way_[way_.size() - 2].inode) return Errno{ESTALE};
    here_ = std::move(above).value();
    way_.pop_back();
    return {};
}

Walked walk_groups(FdRef group, const std::function<Onward(const Visit&)>& visit) {
    auto begun = Place::at(group);
    if (!begun && is_gone(begun.error())) return Walked::all;
    auto place = std::move(begun).or_throw("walk through", "cgroup");
    std::size_t visited = 1;
    if (visit({place.group(), {}, 0}) == Onward::stop) return Walked::stopped;
    while (true) {
        const auto name = place.take_next();
        if (name.empty()) {
            if (place.depth() == 0) return Walked::all;
            place.leave().or_throw("return from cgroup", place.name());
            continue;
        }
        if (!place.enter(name).or_throw("open cgroup", name)) continue;
        if (++visited > kMostVisited) return Walked::too_many;
        if (visit({place.group(), place.name(), place.depth()}) == Onward::stop)
            return Walked::stopped;
    }
}

std::vector<pid_t> listed_processes(FdRef group) {
    const auto text = sys::read_file_at(group, "cgroup.procs", kProcsLimit);
    // EOPNOTSUPP: a threaded group.
    if (!text && (is_gone(text.error()) || text.error() == EOPNOTSUPP)) return {};
    if (!text) throw Error::from_errno(text.error(), "read cgroup file", "cgroup.procs");
    std::vector<pid_t> pids;
    for (const auto line : split(text.value(), '\n'))
        if (const auto pid = parse_u32(line)) pids.push_back(static_cast<pid_t>(*pid));
    return pids;
}

}  // namespace covey::cgroup
