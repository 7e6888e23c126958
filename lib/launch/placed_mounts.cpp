#include "launch/placed_mounts.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/mount.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>

namespace covey::launch {
namespace {

constexpr std::uint64_t kMqueueMagic = 0x19800202;
/// Filesystems in which nobody but the kernel makes symlinks, and those stay inside.
constexpr std::array<std::uint64_t, 6> kKernelsOwnMounts{PROC_SUPER_MAGIC,   SYSFS_MAGIC,
                                                         CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                                                         DEVPTS_SUPER_MAGIC, kMqueueMagic};

bool is_kernels_own(FdRef mount) {
    const auto magic = sys::filesystem_magic(mount).value_or(0);
    return std::find(kKernelsOwnMounts.begin(), kKernelsOwnMounts.end(), magic) !=
           kKernelsOwnMounts.end();
}

Error left_mount(const std::string& path, const std::string& mount) {
    return Error(Code::failed_precondition,
                 fmt::format("{} leads out of what is mounted at {}", path, mount))
        .with_fix(
            "a symlink on the way points elsewhere: name the path that it leads to, and keep "
            "others "
            "from changing the root filesystem while a container is launched from it");
}

std::string above(const std::string& path) {
    const auto slash = path.find_last_of('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

bool is_same_object(FdRef a, FdRef b) {
    const auto one = sys::stat_fd(a), other = sys::stat_fd(b);
    return one && other && one.value().st_dev == other.value().st_dev &&
           one.value().st_ino == other.value().st_ino;
}

}  // namespace

PlacedMounts::PlacedMounts(const plan::LaunchPlan& plan) {
    std::set<std::string, std::less<>> targets;
    const auto lies_on_all_above = [&](std::string path) {
        while (path.size() > 1) {
            path = above(path);
            if (!needed_.insert(path).second) return;
        }
    };
    const auto add = [&](std::string path) {
        if (!targets.insert(path).second) needed_.insert(path);
        lies_on_all_above(std::move(path));
    };
    for (const auto* list : {&plan.operations, &plan.protections})
        for (const auto& operation : *list) {
            add(std::string{plan::target_of(operation)});
            if (std::holds_alternative<plan::BindConsole>(operation)) add("/dev/pts/ptmx");
            // A source that is looked up in the root is one of these, or lies on one.
            const auto* bind = std::get_if<plan::BindMount>(&operation);
            if (bind != nullptr && !bind->inner_source.empty())
                lies_on_all_above(bind->inner_source + "/.");
        }
    add(plan.process.cwd);
}

PlacedMounts::Lookup PlacedMounts::lookup(const std::string& path) const {
    for (auto mount = path; mount != "/"; mount = above(mount))
        if (const auto found = mounts_.find(mount); found != mounts_.end())
            return {found->second, path.substr(mount.size()), mount, sys::Scope::beneath};
    return {root_, path, "/", sys::Scope::in_root};
}

void PlacedMounts::note(const std::string& target, FdRef mount, FdRef place) {
    forget_covered(place);
    // What is mounted below is covered.
    for (auto below = mounts_.lower_bound(target + "/");
         below != mounts_.end() && below->first.starts_with(target + "/");)
        below = mounts_.erase(below);
    if (!needed_.contains(target)) return;
    mounts_[target] = sys::duplicate(mount).or_throw("dup", "mount");
}

/// An image may have two names for a place (/var/run is /run): what was mounted there by the other
/// name is covered now. Of the kernel's own the masks are kept all the same.
void PlacedMounts::forget_covered(FdRef place) {
    const auto id = sys::mount_id(place).or_throw("statx", "mount point");
    for (auto one = mounts_.begin(); one != mounts_.end();) {
        const bool covered = sys::mount_id(one->second).or_throw("statx", one->first) == id &&
                             is_same_object(one->second, place) && !is_kernels_own(one->second);
        one = covered ? mounts_.erase(one) : std::next(one);
    }
}

std::optional<UniqueFd> PlacedMounts::find(const std::string& path, int flags) const {
    const auto at = lookup(path);
    if (at.rest.empty()) return sys::duplicate(at.folder).or_throw("dup", "mount");
    auto found = sys::open_within(at.folder, at.scope, at.rest, static_cast<std::uint64_t>(flags));
    if (found) return std::move(found).value();
    if (found.error() == ENOENT || found.error() == ENOTDIR) return std::nullopt;
    if (found.error() == EXDEV) throw left_mount(path, at.mount);
    throw Error::from_errno(found.error(), "open", path);
}

std::optional<UniqueFd> PlacedMounts::find_folder(const std::string& path) const {
    const auto at = lookup(path);
    if (at.rest.empty()) return sys::duplicate(at.folder).or_throw("dup", "mount");
    auto found = sys::open_within(at.folder, at.scope, at.rest, O_PATH | O_DIRECTORY);
    if (!found && found.error() == EXDEV && !is_kernels_own(at.folder))
        found = sys::open_in_root(root_, path, O_PATH | O_DIRECTORY);
    if (!found) return std::nullopt;
    return std::move(found).value();
}

UniqueFd PlacedMounts::make_target(const std::string& path, sys::TargetKind kind) const {
    const auto at = lookup(path);
    // Perhaps a file, in which nothing can be looked up, not even ".".
    if (at.rest.empty()) return sys::duplicate(at.folder).or_throw("dup", "mount");
    auto made = sys::make_target_in_root(at.folder, at.rest, kind, at.scope);
    if (!made && made.error() == EXDEV) {
        if (is_kernels_own(at.folder)) throw left_mount(path, at.mount);
        made = sys::make_target_in_root(root_, path, kind);
    }
    return std::move(made).or_throw("make mount point", path);
}

PlacedMounts::Parent PlacedMounts::make_parent(const std::string& path) const {
    return {make_target(above(path), sys::TargetKind::folder), path.substr(path.rfind('/') + 1)};
}

std::vector<int> PlacedMounts::descriptors() const {
    std::vector<int> open;
    for (const auto& [target, mount] : mounts_)
        open.push_back(mount.get());
    return open;
}

}  // namespace covey::launch
