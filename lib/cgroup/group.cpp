// Groups as directories: create, open, join, remove.
#include "cgroup/cgroup.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <set>

namespace covey::cgroup {
namespace {

/// Controllers that are mounted together ("cpu,cpuacct") share a mount point: each once.
std::set<std::string> v1_mounts(const Host& host) {
    std::set<std::string> mounts;
    for (const auto& [name, mount] : host.v1)
        mounts.insert(mount);
    return mounts;
}

void move_self(FdRef group, std::string_view dir) {
    // "0" is the writer itself, whatever PID namespace it is in.
    const auto moved = sys::write_existing_at(group, "cgroup.procs", "0");
    if (moved) return;
    auto error = Error::from_errno(moved.error(), "join cgroup", dir);
    if (moved.error() == EBUSY)
        error.set_fix(
            "a v2 group that passes controllers on to groups below cannot hold processes "
            "itself: choose a group without cgroup.subtree_control");
    throw error;
}

}  // namespace

const std::string& Host::identity_mount() const {
    return unified.empty() ? v1.at("freezer") : unified;
}

Group::Group(const Host& host, std::string path, UniqueFd identity)
    : host_(&host), path_(std::move(path)), identity_(std::move(identity)) {
}

Group Group::create(const Host& host, std::string path) {
    check_path(path);
    auto made = make_group(host.identity_mount(), path);
    if (made) return Group{host, std::move(path), std::move(made).value()};
    const auto dir = host.identity_mount() + path;
    if (made.error() == EEXIST)
        throw Error(Code::already_exists, fmt::format("cgroup {} is there already", dir))
            .with_fix("remove what is left of the container that had it, or choose another id");
    auto error = Error::from_errno(made.error(), "create cgroup", dir);
    if (made.error() == EROFS || made.error() == EACCES || made.error() == EPERM)
        error.set_fix(
            fmt::format("make {} writable for this user (run as root)", host.identity_mount()));
    if (made.error() == EAGAIN)
        error.set_fix("raise cgroup.max.descendants or cgroup.max.depth of the groups above");
    throw error;
}

Group Group::open(const Host& host, std::string path) {
    check_path(path);
    auto opened = open_group(host.identity_mount(), path);
    if (!opened && opened.error() == ENOENT)
        throw Error(Code::not_found, fmt::format("no cgroup {}{}", host.identity_mount(), path));
    auto identity = std::move(opened).or_throw("open cgroup", host.identity_mount() + path);
    return Group{host, std::move(path), std::move(identity)};
}

std::string Group::identity_dir() const {
    return host_->identity_mount() + path_;
}

FdRef Group::clone_target() const noexcept {
    return host_->unified.empty() ? FdRef{-1} : identity_.ref();
}

std::uint64_t Group::id() const {
    return sys::stat_fd(identity_).or_throw("stat cgroup", path_).st_ino;
}

void Group::extend_to_v1() {
    for (const auto& mount : v1_mounts(*host_)) {
        (void)ensure_group(mount, path_).or_throw("create cgroup", mount + path_);
        if (const auto cpuset = host_->v1.find("cpuset");
            cpuset != host_->v1.end() && cpuset->second == mount)
            inherit_cpuset(mount, path_);
    }
}

void Group::join(Identity identity) const {
    if (identity == Identity::move) move_self(identity_, identity_dir());
    for (const auto& mount : v1_mounts(*host_)) {
        if (host_->unified.empty() && mount == host_->identity_mount()) continue;
        // An exec's group, and a container's without limits, has no directory of its own here: the
        // limits that hold for it are those of the nearest group above.
        for (std::string_view path = path_; !path.empty() && path != kDefaultParent;
             path = parent_path(path)) {
            auto group = open_group(mount, path);
            if (!group && group.error() == ENOENT) continue;
            const auto dir = mount + std::string{path};
            move_self(std::move(group).or_throw("open cgroup", dir), dir);
            break;
        }
    }
}

void Group::remove() {
    auto mounts = v1_mounts(*host_);
    mounts.insert(host_->identity_mount());
    for (const auto& mount : mounts) {
        const auto removed = remove_group(mount, path_);
        if (removed) continue;
        if (removed.error() != EBUSY) removed.or_throw("remove cgroup", mount + path_);
        throw Error(Code::failed_precondition,
                    fmt::format("remove cgroup {}{}: {} processes are still in it or below", mount,
                                path_, processes().size()))
            .with_fix("kill the group and wait until it is empty, then remove it");
    }
    identity_.reset();
}

}  // namespace covey::cgroup
