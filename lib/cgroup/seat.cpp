// `main`: a container's processes one group below its limits (docs/decisions/016). The group at
// which a cgroup namespace begins can be written by who mounts it there, so what holds is above it.
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
    return std::string{path}.append("/main");
}

bool is_containers(std::string_view path) noexcept {
    return path.ends_with(".ctr");
}

bool holds_for_all_below(std::string_view controller) noexcept {
    static constexpr std::array<std::string_view, 5> kNames = {"memory", "pids", "cpu", "hugetlb",
                                                               "rdma"};
    return std::find(kNames.begin(), kNames.end(), controller) != kNames.end();
}

Result<UniqueFd> open_seat(const std::string& mount, std::string_view path) {
    auto opened = open_group(mount, seat_below(path));
    return opened || opened.error() != ENOENT ? std::move(opened) : open_group(mount, path);
}

namespace {

/// v1 hierarchies in which limits can stand above, and on pure v1 the standstill: a group that is
/// told to stand still holds those below it, whatever is written there.
std::set<std::string> mounts_with_seats(const Host& host) {
    std::set<std::string> mounts;
    for (const auto& [controller, mount] : host.v1)
        if (holds_for_all_below(controller) || mount == host.identity_mount()) mounts.insert(mount);
    // Mounted together with one whose limits are the group's alone: with that one.
    for (const auto& [controller, mount] : host.v1)
        if (controller == "blkio" || controller == "net_cls" || controller == "net_prio" ||
            controller == "cpuset")
            mounts.erase(mount);
    return mounts;
}

/// False: it may not be made, and may be missing.
bool make_seat(const std::string& mount, const std::string& path, Forbidden forbidden) {
    const auto above = open_group(mount, path);
    // One that was skipped itself.
    if (!above && above.error() == ENOENT && forbidden == Forbidden::skip) return false;
    if (!above) throw Error::from_errno(above.error(), "open cgroup", mount + path);
    // Before Linux 5.11 memory limits hold for what is below only when this says so.
    if (read_control(above.value(), "memory.use_hierarchy") == "0")
        sys::write_existing_at(above.value(), "memory.use_hierarchy", "1")
            .or_throw("write", mount + path + "/memory.use_hierarchy");
    const auto made = ensure_group(mount, seat_below(path));
    if (!made && forbidden == Forbidden::skip && is_forbidden(made.error())) return false;
    if (!made) throw Error::from_errno(made.error(), "create cgroup", mount + seat_below(path));
    return true;
}

}  // namespace

void Group::make_seats(Forbidden forbidden) {
    for (const auto& mount : mounts_with_seats(*host_))
        (void)make_seat(mount, placement_.in(mount), forbidden);
    const auto& mount = host_->identity_mount();
    if (!host_->unified.empty() && !make_seat(mount, placement_.path, forbidden)) return;
    const auto path = seat_below(placement_.path);
    auto seat = open_group(mount, path);
    // On v1 it may be mounted together with a controller that has none, or be forbidden.
    if (!seat && seat.error() == ENOENT && host_->unified.empty()) return;
    seat_ = std::move(seat).or_throw("open cgroup", mount + path);
}

void Group::pass_on_controllers() {
    passes_on_ = true;
    if (!seat_) return;
    const auto offered = read_control(identity_, "cgroup.controllers").value_or("");
    const auto passed = read_control(identity_, "cgroup.subtree_control").value_or("");
    if (offered == passed) return;
    for (const auto name : split(offered, ' '))
        if (!name.empty())
            sys::write_existing_at(identity_, "cgroup.subtree_control", "+" + std::string{name})
                .or_throw("pass on cgroup controllers of", identity_dir());
}

}  // namespace covey::cgroup
