#include "launch/sources.hpp"

#include "base/fault.hpp"
#include "cgroup/oci_group.hpp"
#include "launch/context.hpp"
#include "launch/host_views.hpp"
#include "launch/user_namespace.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/namespaces.hpp"
#include "sys/path.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <variant>

#include <fcntl.h>
#include <sys/sysmacros.h>

namespace covey::launch {
namespace {

UniqueFd open_root(const std::string& path, const spec::Access& access) {
    fault_point("launch.root");
    // The caller chose the path, so symlinks on the way are the caller's; the last component is not
    // followed: an image cannot make its root another folder.
    auto dir = sys::open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!dir) {
        const bool link =
            dir.error() == ENOTDIR && S_ISLNK(sys::stat_at(sys::kCwd, path).value_or({}).st_mode);
        if (link)
            throw Error(Code::invalid_spec, fmt::format("root filesystem {} is a symlink", path))
                .with_fix("put the folder's real path into root.path");
        throw Error::from_errno(dir.error(), "open root filesystem", path)
            .with_fix("root.path must be an existing folder");
    }
    if (access.is_restricted())
        refuse_host_views(dir.value(), path, {sys::Recursive::yes, false, false});
    auto tree = sys::clone_tree(dir.value(), "", sys::Recursive::yes)
                    .or_throw("clone root filesystem", path);
    // Mounts made inside must never reach the host; what the host mounts there may come in.
    sys::set_attributes(tree, 0, 0, MS_SLAVE, sys::Recursive::yes).or_throw("make slave", path);
    return tree;
}

/// While the tree is detached and the caller still has its privileges: the kernel allows it to
/// whoever rules over the filesystem, not over the mount.
void map_mount_ids(FdRef tree, const plan::BindMount& bind, FdRef joined) {
    UniqueFd own;
    if (!bind.idmap_of_joined) own = make_user_namespace(bind.uid_mappings, bind.gid_mappings);
    if (bind.idmap_of_joined && !joined.valid())
        throw Error(Code::invalid_spec,
                    fmt::format("map the ids of {}: the container joins no other user namespace",
                                bind.host_source))
            .with_fix("give the mount uidMappings and gidMappings");
    const auto mapped =
        sys::set_id_map(tree, own ? own.ref() : joined,
                        bind.idmap_recursive ? sys::Recursive::yes : sys::Recursive::no);
    if (mapped) return;
    auto error = Error::from_errno(mapped.error(), "map the ids of", bind.host_source);
    if (mapped.error() == EINVAL)
        error.set_fix(
            "its filesystem, or one mounted below it with ridmap, does not support id-mapped "
            "mounts on this kernel");
    if (mapped.error() == EPERM)
        error.set_fix("only root of the host may map the ids of a filesystem of the host");
    throw error;
}

/// A restricted container's source is looked at before it is cloned, by descriptor: the path may
/// lead elsewhere a moment later.
Result<UniqueFd> clone_source(const plan::BindMount& bind, const spec::Access& access) {
    const auto recursive = bind.recursive ? sys::Recursive::yes : sys::Recursive::no;
    if (!access.is_restricted()) return sys::clone_tree(sys::kCwd, bind.host_source, recursive);
    const auto place = sys::open(bind.host_source, O_PATH);
    if (!place) return Errno{place.error()};
    const bool all_read_only = (bind.flags.recursive_set & MOUNT_ATTR_RDONLY) != 0;
    const bool read_only = all_read_only || (bind.flags.set & MOUNT_ATTR_RDONLY) != 0;
    refuse_host_views(place.value(), bind.host_source, {recursive, read_only, all_read_only});
    return sys::clone_tree(place.value(), "", recursive);
}

/// Propagation and ids, while it is detached.
UniqueFd finished(Result<UniqueFd> tree, const plan::BindMount& bind, FdRef user) {
    if (!tree)
        throw Error::from_errno(tree.error(), "open bind source", bind.host_source)
            .with_fix("the source of a bind mount must be there before create");
    // Docker's and runc's default: private, unless the spec names a propagation.
    if (bind.flags.propagation == 0)
        sys::set_attributes(tree.value(), 0, 0, MS_PRIVATE, sys::Recursive::yes)
            .or_throw("make private", bind.host_source);
    if (!bind.uid_mappings.empty() || bind.idmap_of_joined) map_mount_ids(tree.value(), bind, user);
    return std::move(tree).value();
}

UniqueFd open_bind(const plan::BindMount& bind, const spec::Access& access, FdRef user) {
    fault_point("launch.source");
    return finished(clone_source(bind, access), bind, user);
}

UniqueFd open_group_folder(const std::string& dir) {
    auto tree = sys::clone_tree(sys::kCwd, dir, sys::Recursive::no).or_throw("open cgroup", dir);
    sys::set_attributes(tree, 0, 0, MS_PRIVATE, sys::Recursive::no).or_throw("make private", dir);
    return tree;
}

UniqueFd open_null_device() {
    auto null =
        sys::clone_tree(sys::kCwd, "/dev/null", sys::Recursive::no).or_throw("clone", "/dev/null");
    const auto status = sys::stat_fd(null).or_throw("stat", "/dev/null");
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
        throw Error(Code::failed_precondition, "the host's /dev/null is not the null device")
            .with_fix("mknod -m 666 /dev/null c 1 3");
    sys::set_attributes(null, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0,
                        MS_PRIVATE, sys::Recursive::no)
        .or_throw("set attributes", "/dev/null");
    return null;
}

/// The host's node at the same path, checked to be that device.
UniqueFd open_device(const plan::MakeDevice& device) {
    auto node = sys::clone_tree(sys::kCwd, device.path, sys::Recursive::no);
    if (!node)
        throw Error::from_errno(node.error(), "open the host's device", device.path)
            .with_fix(
                "in a user namespace devices are bound from the host: it must have the same one "
                "at the same path");
    const auto status = sys::stat_fd(node.value()).or_throw("stat", device.path);
    if ((status.st_mode & S_IFMT) != (device.mode & S_IFMT) ||
        status.st_rdev != makedev(device.major, device.minor))
        throw Error(Code::failed_precondition, fmt::format("the host's {} is not device {}:{}",
                                                           device.path, device.major, device.minor))
            .with_fix(
                "in a user namespace devices are bound from the host: it must have the same one "
                "at the same path");
    sys::set_attributes(node.value(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, MS_PRIVATE,
                        sys::Recursive::no)
        .or_throw("set attributes", device.path);
    return std::move(node).value();
}

[[noreturn]] void refuse_ended() {
    throw Error(Code::failed_precondition, "the container whose root is to be shown has ended")
        .with_fix("name a container that runs");
}

/// As it is now: what is mounted there later does not come in, for it would come in writable. For a
/// restricted container without any mount in it: the other one's /proc hides nothing from it.
UniqueFd open_shown_root(FdRef shown, const spec::Access& access) {
    fault_point("launch.show_root");
    auto tree =
        clone_root_of(shown, access.is_restricted() ? sys::Recursive::no : sys::Recursive::yes);
    if (!tree && tree.error() == ESRCH) refuse_ended();
    if (!tree) throw Error::from_errno(tree.error(), "clone", "the other container's root");
    sys::set_attributes(tree.value(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0,
                        MS_PRIVATE, sys::Recursive::yes)
        .or_throw("make read-only", "the other container's root");
    // What was found is what was named: its main process has held it all the time.
    if (sys::wait_ended(shown, 0)) refuse_ended();
    return std::move(tree).value();
}

/// A debugger's root belongs to the host's root, and in a user namespace its own may make nothing
/// there.
void make_place(const plan::LaunchPlan& plan, FdRef root, const std::string& target) {
    if (!plan.process.user_namespace) return;
    (void)sys::make_target_in_root(root, target, sys::TargetKind::folder)
        .or_throw("make mount point", target);
}

}  // namespace

Result<UniqueFd> clone_root_of(FdRef where, sys::Recursive recursive) {
    const auto own = sys::open("/proc/self/ns/mnt", O_RDONLY);
    if (!own) return Errno{own.error()};
    if (const auto entered = sys::set_namespace(where, CLONE_NEWNS); !entered)
        return Errno{entered.error()};
    auto tree = sys::clone_tree(sys::kCwd, "/", recursive);
    sys::set_namespace(own.value(), CLONE_NEWNS).or_throw("return to", "own mount namespace");
    return tree;
}

UniqueFd clone_inner(FdRef place, const plan::BindMount& bind) {
    const auto recursive = bind.recursive ? sys::Recursive::yes : sys::Recursive::no;
    return finished(sys::clone_tree(place, "", recursive), bind, FdRef{-1});
}

Sources open_sources(const plan::LaunchPlan& plan, const spec::Access& access, FdRef shown,
                     FdRef user) {
    Sources sources;
    sources.root = open_root(plan.root.host_path, access);
    // Covey itself may run in a user namespace, as under a rootless engine.
    const bool can_make_devices = sys::in_initial_user_namespace();
    for (std::size_t i = 0; i < plan.operations.size(); ++i) {
        const auto& body = plan.operations[i];
        if (const auto* bind = std::get_if<plan::BindMount>(&body);
            bind != nullptr && bind->inner_source.empty())
            sources.binds[i] =
                in_context(fmt::format("mount op {} ({})", i, describe(plan.operations[i])),
                           [&] { return open_bind(*bind, access, user); });
        else if (const auto* show = std::get_if<plan::ShowRoot>(&body))
            sources.binds[i] =
                in_context(fmt::format("mount op {} ({})", i, describe(plan.operations[i])), [&] {
                    make_place(plan, sources.root, show->target);
                    return open_shown_root(shown, access);
                });
        else if (const auto* device = std::get_if<plan::MakeDevice>(&body);
                 device != nullptr && (device->from_host || !can_make_devices) &&
                 !S_ISFIFO(device->mode))
            sources.devices[i] =
                in_context(fmt::format("mount op {} ({})", i, describe(plan.operations[i])),
                           [&] { return open_device(*device); });
    }
    const bool masks = std::any_of(
        plan.protections.begin(), plan.protections.end(),
        [](const auto& operation) { return std::holds_alternative<plan::MaskPath>(operation); });
    // One: a detached tree that is closed unused costs a grace period of the kernel's.
    if (masks) sources.null_device = open_null_device();
    return sources;
}

bool lends_cgroup(const plan::LaunchPlan& plan) {
    return std::any_of(plan.operations.begin(), plan.operations.end(), [](const auto& operation) {
        return std::holds_alternative<plan::MountCgroup>(operation);
    });
}

void open_cgroups(const plan::LaunchPlan& plan, const cgroup::Host& host,
                  const cgroup::Placement& placement, Sources& sources) {
    for (std::size_t i = 0; i < plan.operations.size(); ++i) {
        const auto* mount = std::get_if<plan::MountCgroup>(&plan.operations[i]);
        if (mount == nullptr) continue;
        const bool with_v1 = mount->with_v1 && !host.v1.empty();
        if (!with_v1 && (mount->own_namespace || host.unified.empty())) continue;
        auto& trees = sources.cgroups[i];
        if (!with_v1)
            trees.push_back(
                {"",
                 {},
                 open_group_folder(cgroup::processes_folder(host.unified, placement.path))});
        else
            for (auto& folder : cgroup::group_folders(host, placement))
                trees.push_back({std::move(folder.name), std::move(folder.links),
                                 open_group_folder(folder.dir)});
    }
}

}  // namespace covey::launch
