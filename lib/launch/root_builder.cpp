#include "launch/root_builder.hpp"

#include "base/fault.hpp"
#include "launch/context.hpp"
#include "launch/host_views.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <type_traits>
#include <utility>

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace covey::launch {
namespace {

bool joins_mount_namespace(const plan::LaunchPlan& plan) {
    return std::any_of(plan.namespaces.begin(), plan.namespaces.end(), [](const auto& entry) {
        return entry.type == spec::NamespaceType::mount &&
               entry.source == plan::NamespacePlan::Source::path;
    });
}

}  // namespace

RootBuilder::RootBuilder(const plan::LaunchPlan& plan, Sources& sources, ProcSource proc)
    : plan_(plan), sources_(sources), proc_(std::move(proc)), placed_(plan) {
}

UniqueFd RootBuilder::own_path() const {
    // A root that is entered by chroot covers the host's: who climbs out of it finds it again.
    if (use_chroot_) return {};
    auto place = sys::open(plan_.root.host_path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!place) return {};
    const auto there = sys::stat_fd(place.value()).or_throw("stat", plan_.root.host_path);
    const auto root = sys::stat_fd(sources_.root).or_throw("stat", plan_.root.host_path);
    // Another folder by now, or in a mount namespace that was joined: no place is needed for the
    // pivot, so over "/" will do.
    if (there.st_dev != root.st_dev || there.st_ino != root.st_ino) return {};
    return std::move(place).value();
}

void RootBuilder::attach_root() {
    fault_point("launch.attach_root");
    // While the host's /proc still knows this process: later it may be in a PID namespace of its
    // own.
    if (use_chroot_) host_views_ = full_views();
    if (!host_views_.empty() && joins_mount_namespace(plan_))
        throw Error(Code::failed_precondition,
                    fmt::format("without pivot_root(2) {} would have to be unmounted, in a mount "
                                "namespace that others are in",
                                host_views_.front()))
            .with_fix(
                "leave the mount namespace's path out of linux.namespaces, or do without "
                "--no-pivot");
    // At its own path, where hooks look for it (runtime.md: those of the container's namespaces see
    // the host's root, as whoever enters the mount namespace does).
    const auto place = own_path();
    const auto attached =
        place ? sys::attach(sources_.root, place) : sys::attach_at(sources_.root, sys::kCwd, "/");
    attached.or_throw("attach root filesystem", plan_.root.host_path);
    root_ = std::move(sources_.root);
    placed_.use_root(root_);
}

void RootBuilder::build() {
    for (std::size_t i = 0; i < plan_.operations.size(); ++i)
        if (!is_deferred(plan_.operations[i]))
            execute_named(i, plan_.operations[i]);
        else if (const auto* proc = std::get_if<plan::MountProc>(&plan_.operations[i]))
            // Later the root may be read-only.
            (void)placed_.make_target(proc->target, sys::TargetKind::folder);
    in_context("make working directory",
               [&] { (void)placed_.make_target(plan_.process.cwd, sys::TargetKind::folder); });
}

void RootBuilder::protect() {
    for (std::size_t i = 0; i < plan_.protections.size(); ++i)
        if (!is_deferred(plan_.protections[i]))
            execute_named(plan_.operations.size() + i, plan_.protections[i]);
    mounts_.clear();
}

void RootBuilder::finish_proc(ProcSource proc) {
    proc_ = std::move(proc);
    std::size_t number = 0;
    for (const auto* list : {&plan_.operations, &plan_.protections})
        for (const auto& operation : *list) {
            if (is_deferred(operation)) execute_named(number, operation);
            ++number;
        }
    mounts_.clear();
}

bool RootBuilder::is_deferred(const plan::Operation& operation) const {
    return defers_proc_ && plan::lies_on_proc(plan_, operation);
}

void RootBuilder::execute_named(std::size_t number, const plan::Operation& operation) {
    in_context(fmt::format("mount op {} ({})", number, describe(operation)),
               [&] { execute(number, operation); });
}

void RootBuilder::execute(std::size_t number, const plan::Operation& any) {
    fault_point("launch.mount");
    std::visit(
        [&](const auto& operation) {
            using Kind = std::decay_t<decltype(operation)>;
            if constexpr (std::is_same_v<Kind, plan::BindMount>)
                bind(number, operation);
            else if constexpr (std::is_same_v<Kind, plan::ShowRoot>)
                attach_with_flags(std::move(sources_.binds.at(number)), {}, operation.target);
            else if constexpr (std::is_same_v<Kind, plan::MountCgroup>)
                mount_cgroup(number, operation);
            else if constexpr (std::is_same_v<Kind, plan::Remount>)
                remount(operation);
            else if constexpr (std::is_same_v<Kind, plan::MakeDevice>)
                make_device(number, operation);
            else if constexpr (std::is_same_v<Kind, plan::MakeSymlink>)
                make_symlink(operation);
            else if constexpr (std::is_same_v<Kind, plan::BindConsole>)
                open_console(operation);
            else if constexpr (std::is_same_v<Kind, plan::MaskPath>)
                mask(operation.path);
            else if constexpr (std::is_same_v<Kind, plan::ReadonlyPath>)
                make_readonly(operation.path);
            else if constexpr (std::is_same_v<Kind, plan::ReadonlyRoot>)
                sys::set_attributes(root_, MOUNT_ATTR_RDONLY, 0, 0, sys::Recursive::no)
                    .or_throw("make read-only", "/");
            else
                mount(operation);
        },
        any);
    if (is_remounted(number)) mounts_[number] = std::move(attached_);
    attached_.reset();
}

void RootBuilder::make_device(std::size_t number, const plan::MakeDevice& operation) {
    if (const auto from_host = sources_.devices.find(number); from_host != sources_.devices.end())
        return attach_with_flags(std::move(from_host->second), {}, operation.path);
    const auto [folder, name] = placed_.make_parent(operation.path);
    const dev_t device = makedev(operation.major, operation.minor);
    const auto is_device = [&](const struct stat& status) {
        return (status.st_mode & S_IFMT) == (operation.mode & S_IFMT) && status.st_rdev == device;
    };
    if (::mknodat(folder.get(), name.c_str(), operation.mode, device) < 0) {
        const int error = errno;
        const auto there = sys::stat_at(folder, name);
        if (error == EEXIST && there && is_device(there.value())) return;
        throw Error::from_errno(error, "make device", operation.path);
    }
    const auto node =
        sys::open_at(folder, name, O_PATH | O_NOFOLLOW).or_throw("open device", operation.path);
    // Not a file that somebody has put in its place, to have it given to the device's owner.
    if (!is_device(sys::stat_fd(node).or_throw("stat", operation.path)))
        throw Error(Code::failed_precondition,
                    fmt::format("device {} was exchanged while it was made", operation.path))
            .with_fix("keep others from changing the root filesystem during a launch");
    if (::fchownat(node.get(), "", operation.uid, operation.gid, AT_EMPTY_PATH) < 0)
        throw Error::from_errno(errno, "chown device", operation.path);
}

void RootBuilder::make_symlink(const plan::MakeSymlink& operation) {
    const auto [folder, name] = placed_.make_parent(operation.path);
    if (::symlinkat(operation.target.c_str(), folder.get(), name.c_str()) < 0 && errno != EEXIST)
        throw Error::from_errno(errno, "make symlink", operation.path);
}

void RootBuilder::open_console(const plan::BindConsole& operation) {
    const auto pts = placed_.find("/dev/pts", O_PATH | O_DIRECTORY);
    terminal_ = open_terminal(pts ? *pts : FdRef{-1}, plan_.process);
    if (!operation.on_console) return;
    if (!operation.makes_console && !placed_.find("/dev/console", O_PATH)) return;
    auto slave = sys::clone_tree(terminal_.slave, "", sys::Recursive::no).or_throw("clone", "pty");
    attach_with_flags(std::move(slave), {}, "/dev/console");
}

void RootBuilder::mask(const std::string& path) {
    const auto target = placed_.find(path, O_PATH);
    if (!target) return;
    const auto status = sys::stat_fd(*target).or_throw("stat", path);
    const bool is_folder = S_ISDIR(status.st_mode);
    auto& first = is_folder ? empty_folder_ : null_device_;
    if (first) {
        const auto copy =
            sys::clone_tree(first, "", sys::Recursive::no).or_throw("clone the cover of", path);
        sys::attach(copy, *target).or_throw("mask", path);
        return;
    }
    auto cover = is_folder ? make_empty_folder() : std::move(sources_.null_device);
    sys::attach(cover, *target).or_throw("mask", path);
    first = std::move(cover);
}

void RootBuilder::make_readonly(const std::string& path) {
    const auto target = placed_.find(path, O_PATH);
    if (!target) return;
    const auto tree = sys::clone_tree(*target, "", sys::Recursive::yes).or_throw("clone", path);
    sys::set_attributes(tree, MOUNT_ATTR_RDONLY, 0, 0, sys::Recursive::yes)
        .or_throw("make read-only", path);
    sys::attach(tree, *target).or_throw("attach mount on", path);
}

void RootBuilder::pivot() {
    fault_point("launch.pivot");
    if (use_chroot_) {
        hide_full_views(host_views_);
        sys::chroot_into(root_).or_throw("chroot into", plan_.root.host_path);
    } else
        sys::pivot_into(root_).or_throw("pivot into", plan_.root.host_path);
    if (plan_.root.propagation != 0)
        sys::set_attributes(
            root_, 0, 0, plan_.root.propagation,
            plan_.root.propagation_recursive ? sys::Recursive::yes : sys::Recursive::no)
            .or_throw("set propagation of", "/");
}

std::vector<int> RootBuilder::descriptors() const {
    auto open = placed_.descriptors();
    for (const auto fd : {root_.ref(), empty_folder_.ref(), null_device_.ref(),
                          sources_.null_device.ref(), sight_.keeper.ref(), sight_.home.ref()})
        if (fd.valid()) open.push_back(fd.get());
    for (const auto* list : {&sources_.binds, &sources_.devices})
        for (const auto& [number, tree] : *list)
            if (tree.valid()) open.push_back(tree.get());
    for (const auto& [number, trees] : sources_.cgroups)
        for (const auto& folder : trees)
            open.push_back(folder.tree.get());
    return open;
}

void RootBuilder::close() {
    placed_.close();
    root_.reset();
    empty_folder_.reset();
    null_device_.reset();
    sight_ = {};
    sources_ = {};
}

}  // namespace covey::launch
