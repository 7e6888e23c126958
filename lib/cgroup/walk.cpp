#include "cgroup/walk.hpp"

#include "base/text.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/folder_page.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>

namespace covey::cgroup {
namespace {

constexpr std::size_t kProcsLimit = 64U << 20U;
constexpr std::size_t kNamesAtOnce = 512;  // names: half a millisecond

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
    step.is_listed = status.value().st_nlink == kNoneBelow;
    here_ = std::move(group);
    way_.push_back(std::move(step));
    return {};
}

Result<void> Place::list_more(Step& step) const {
    auto page = sys::list_folders_from(here_, step.position, kNamesAtOnce);
    if (!page && !is_gone(page.error())) return Errno{page.error()};
    if (page) step.next = std::move(page.value().folders);
    step.is_listed = !page || page.value().is_last;
    step.position = page ? page.value().next : 0;
    std::reverse(step.next.begin(), step.next.end());
    return {};
}

Result<std::string> Place::take_next() {
    auto& step = way_.back();
    while (step.next.empty() && !step.is_listed)
        if (const auto listed = list_more(step); !listed) return Errno{listed.error()};
    if (step.next.empty()) return std::string{};
    auto name = std::move(step.next.back());
    step.next.pop_back();
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

Walk Walk::at(FdRef group) {
    Walk walk;
    auto begun = Place::at(group);
    if (!begun && is_gone(begun.error())) return walk;
    walk.place_.emplace(std::move(begun).or_throw("walk through", "cgroup"));
    return walk;
}

bool Walk::next() {
    if (!place_) return false;
    if (!std::exchange(has_begun_, true)) return true;
    while (true) {
        const auto name = place_->take_next().or_throw("list cgroup", place_->name());
        if (!name.empty()) {
            if (place_->enter(name).or_throw("open cgroup", name)) return true;
            continue;
        }
        if (place_->depth() == 0) return false;
        place_->leave().or_throw("return from cgroup", place_->name());
    }
}

Walked walk_groups(FdRef group, const std::function<Onward(const Visit&)>& visit) {
    auto walk = Walk::at(group);
    for (std::size_t visited = 0; walk.next();) {
        if (++visited > kMostVisited) return Walked::too_many;
        if (visit(walk.here()) == Onward::stop) return Walked::stopped;
    }
    return Walked::all;
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
