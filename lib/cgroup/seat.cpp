// `main`: a container's processes one group below its limits (docs/decisions/016). The group at
// which a cgroup namespace begins can be written by who mounts it there, so it must have no limits.
#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

namespace covey::cgroup {

std::string seat_below(std::string_view path) {
    constexpr std::string_view kContainer = ".ctr", kSeat = "/main";
    return path.ends_with(kContainer) ? std::string{path}.append(kSeat) : std::string{};
}

bool holds_for_all_below(std::string_view v1_controller) noexcept {
    static constexpr std::array<std::string_view, 5> kNames = {"memory", "pids", "cpu", "hugetlb",
                                                               "rdma"};
    return std::find(kNames.begin(), kNames.end(), v1_controller) != kNames.end();
}

Result<UniqueFd> open_seat(const std::string& mount, std::string_view path) {
    if (const auto seat = seat_below(path); !seat.empty()) {
        auto opened = open_group(mount, seat);
        if (opened || opened.error() != ENOENT) return opened;
    }
    return open_group(mount, path);
}

void Group::make_seats() {
    if (seat_below(placement_.path).empty()) return;
    std::set<std::string> mounts;
    for (const auto& [controller, mount] : host_->v1)
        if (holds_for_all_below(controller)) mounts.insert(mount);
    // Mounted together with one whose limits are the group's alone: with that one.
    for (const auto& [controller, mount] : host_->v1)
        if (controller == "blkio" || controller == "net_cls" || controller == "net_prio" ||
            controller == "cpuset")
            mounts.erase(mount);
    for (const auto& mount : mounts) {
        const auto& path = placement_.in(mount);
        const auto above = open_group(mount, path).or_throw("open cgroup", mount + path);
        // Before Linux 5.11 memory limits hold for what is below only when this says so.
        if (read_control(above, "memory.use_hierarchy") == "0")
            sys::write_existing_at(above, "memory.use_hierarchy", "1")
                .or_throw("write", mount + path + "/memory.use_hierarchy");
        (void)ensure_group(mount, seat_below(path)).or_throw("create cgroup", seat_below(path));
    }
    if (host_->unified.empty()) return;
    const auto path = seat_below(placement_.path);
    seat_ = make_group(host_->unified, path).or_throw("create cgroup", host_->unified + path);
}

void Group::pass_on_controllers() const {
    if (!seat_) return;
    const auto offered = read_control(identity_, "cgroup.controllers").value_or("");
    for (const auto name : split(offered, ' '))
        if (!name.empty())
            sys::write_existing_at(identity_, "cgroup.subtree_control", "+" + std::string{name})
                .or_throw("pass on cgroup controllers of", identity_dir());
}

}  // namespace covey::cgroup
