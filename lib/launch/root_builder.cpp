#include "launch/root_builder.hpp"

#include "base/fault.hpp"
#include "launch/context.hpp"
#include "launch/copy_up.hpp"
#include "launch/long_option.hpp"
#include "launch/proc_context.hpp"
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

/// The kernel's own words about a failed fsconfig say which option it was.
Error filesystem_error(FdRef context, int error, const std::string& what,
                       const std::string& object) {
    auto result = Error::from_errno(error, what, object);
    if (auto message = sys::context_message(context); !message.empty())
        result.add_cause("kernel: " + message);
    return result;
}

/// mount_namespaces(7): flags of a mount that came from a more privileged namespace are locked.
void check_flags(const Result<void>& set, const std::string& target) {
    if (set) return;
    auto error = Error::from_errno(set.error(), "set flags of", target);
    if (set.error() == EPERM)
        error.set_fix(
            "the source's mount has flags (ro, nosuid, nodev, noexec, atime) that a user namespace "
            "may not take away: leave their opposites out of the mount's options");
    throw error;
}

void set_flags(FdRef mount, const plan::MountFlags& flags, const std::string& target) {
    if ((flags.set | flags.clear) != 0)
        check_flags(sys::set_attributes(mount, flags.set, flags.clear, 0, sys::Recursive::no),
                    target);
    if ((flags.recursive_set | flags.recursive_clear) != 0)
        check_flags(sys::set_attributes(mount, flags.recursive_set, flags.recursive_clear, 0,
                                        sys::Recursive::yes),
                    target);
}

void set_propagation(FdRef mount, const plan::MountFlags& flags, const std::string& target) {
    if (flags.propagation == 0) return;
    sys::set_attributes(mount, 0, 0, flags.propagation,
                        flags.propagation_recursive ? sys::Recursive::yes : sys::Recursive::no)
        .or_throw("set propagation of", target);
}

void set_options(FdRef context, const std::string& type, const sys::MountOptions& options) {
    for (const auto& [key, value] : options)
        if (value.size() > kLongestOption)
            set_long_option(context, type, key, value);
        else if (const auto set = sys::configure(context, key, value); !set)
            throw filesystem_error(context, set.error(), "set option",
                                   value.empty() ? key : fmt::format("{}={}", key, value));
}

UniqueFd create_filesystem(FdRef context, const std::string& type, const sys::MountOptions& options,
                           std::uint64_t attributes) {
    set_options(context, type, options);
    auto mount = sys::finish_filesystem(context, attributes);
    if (!mount) throw filesystem_error(context, mount.error(), "create filesystem", type);
    return std::move(mount).value();
}

}  // namespace

RootBuilder::RootBuilder(const plan::LaunchPlan& plan, Sources& sources, ProcSource proc)
    : plan_(plan), sources_(sources), proc_(std::move(proc)) {
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
    // At its own path, where hooks look for it (runtime.md: those of the container's namespaces see
    // the host's root, as whoever enters the mount namespace does).
    const auto place = own_path();
    const auto attached =
        place ? sys::attach(sources_.root, place) : sys::attach_at(sources_.root, sys::kCwd, "/");
    attached.or_throw("attach root filesystem", plan_.root.host_path);
    root_ = std::move(sources_.root);
}

void RootBuilder::build() {
    for (std::size_t i = 0; i < plan_.operations.size(); ++i)
        if (!is_deferred(plan_.operations[i]))
            execute_named(i, plan_.operations[i]);
        else if (const auto* proc = std::get_if<plan::MountProc>(&plan_.operations[i]))
            // Later the root may be read-only.
            (void)sys::make_dir_in_root(root_, proc->target)
                .or_throw("make mount point", proc->target);
    (void)sys::make_dir_in_root(root_, plan_.process.cwd)
        .or_throw("make working directory", plan_.process.cwd);
    mounts_.clear();
}

void RootBuilder::protect() {
    for (std::size_t i = 0; i < plan_.protections.size(); ++i)
        if (!is_deferred(plan_.protections[i]))
            execute_named(plan_.operations.size() + i, plan_.protections[i]);
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
                bind(number, operation.flags, operation.target);
            else if constexpr (std::is_same_v<Kind, plan::ShowRoot>)
                bind(number, {}, operation.target);
            else if constexpr (std::is_same_v<Kind, plan::MountCgroup>)
                mount_cgroup(number, operation);
            else if constexpr (std::is_same_v<Kind, plan::Remount>)
                remount(operation);
            else if constexpr (std::is_same_v<Kind, plan::MakeDevice>)
                make_device(number, operation);
            else if constexpr (std::is_same_v<Kind, plan::MakeSymlink>)
                make_symlink(operation);
            else if constexpr (std::is_same_v<Kind, plan::BindConsole>)
                bind_console();
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

void RootBuilder::attach_with_flags(UniqueFd mount, const plan::MountFlags& flags,
                                    const std::string& target) {
    set_flags(mount, flags, target);
    const auto status = sys::stat_fd(mount).or_throw("stat", target);
    const auto kind = S_ISDIR(status.st_mode) ? sys::TargetKind::folder : sys::TargetKind::file;
    const auto place =
        sys::make_target_in_root(root_, target, kind).or_throw("make mount point", target);
    sys::attach(mount, place).or_throw("attach mount on", target);
    // Propagation last: a mount in an anonymous namespace has no peers to join.
    set_propagation(mount, flags, target);
    attached_ = std::move(mount);
}

bool RootBuilder::is_remounted(std::size_t number) const {
    return std::any_of(plan_.operations.begin(), plan_.operations.end(), [&](const auto& any) {
        const auto* one = std::get_if<plan::Remount>(&any);
        return one != nullptr && one->of == number;
    });
}

/// By the descriptor that it was made with: whatever covers it or its path by now, it is that one.
void RootBuilder::remount(const plan::Remount& operation) {
    const auto& mount = mounts_.at(operation.of);
    if (!operation.options.empty()) {
        const auto context =
            sys::open_mounted_filesystem(mount).or_throw("reconfigure", operation.target);
        set_options(context, "tmpfs", operation.options);
        if (const auto set = sys::finish_reconfiguration(context); !set)
            throw filesystem_error(context, set.error(), "remount", operation.target);
    }
    set_flags(mount, operation.flags, operation.target);
    set_propagation(mount, operation.flags, operation.target);
}

void RootBuilder::mount(const plan::MountFilesystem& operation) {
    const auto context =
        sys::open_filesystem(operation.type).or_throw("open filesystem type", operation.type);
    if (const auto set = sys::configure(context, "source", operation.source); !set)
        throw filesystem_error(context, set.error(), "set source", operation.source);
    auto mount = create_filesystem(context, operation.type, operation.options,
                                   operation.copy_up ? 0 : operation.flags.set);
    if (operation.copy_up) copy_up(root_, operation.target, mount);
    attach_with_flags(std::move(mount), operation.flags, operation.target);
}

void RootBuilder::mount(const plan::MountProc& operation) {
    if (proc_.clone && operation.options.empty())
        return attach_with_flags(std::move(proc_.clone), operation.flags, operation.target);
    const auto make = [&] { return make_proc(operation); };
    attach_with_flags(sight_.valid() ? make_in_sight(sight_, make) : make(), operation.flags,
                      operation.target);
}

UniqueFd RootBuilder::make_proc(const plan::MountProc& operation) {
    const auto own = sys::open_filesystem("proc").or_throw("open filesystem type", "proc");
    FdRef context = own;
    UniqueFd entered;
    if (proc_.context.valid()) {
        context = proc_.context;
        used_proc_context_ = true;
    } else if (proc_.pid_namespace.valid()) {
        const auto set = sys::configure_fd(own, "pidns", proc_.pid_namespace);
        const bool unknown = !set && set.error() == EINVAL;
        if (unknown && proc_.may_enter) {
            entered = open_proc_context(proc_.pid_namespace);
            context = entered;
        } else if (unknown)
            throw Error(Code::resource_exhausted, "the sandbox has no procfs context left")
                .with_fix(
                    "on kernels before 6.18 a sandbox can make 8 containers with CAP_SYS_ADMIN in "
                    "mode pod: "
                    "create a new sandbox, or drop the capability");
        else if (!set)
            throw filesystem_error(own, set.error(), "set option", "pidns");
    }
    if (context.get() == own.get() || context.get() == entered.get())
        sys::configure(context, "source", "proc").or_throw("set source", "proc");
    return create_filesystem(context, "proc", operation.options, operation.flags.set);
}

void RootBuilder::mount_cgroup(std::size_t number, const plan::MountCgroup& operation) {
    const auto found = sources_.cgroups.find(number);
    if (found != sources_.cgroups.end() && !found->second.empty()) {
        auto trees = std::move(found->second);
        if (trees.front().name.empty())
            return attach_with_flags(std::move(trees.front().tree), operation.flags,
                                     operation.target);
        return attach_cgroup_folders(std::move(trees), operation);
    }
    // Without a group and a namespace of its own there is nothing that is the container's.
    if (!operation.own_namespace) return attach_cgroup_folders({}, operation);
    // The launcher is in the container's group and in a cgroup namespace of its own by now, so the
    // mount's root is that group and nothing above it.
    const auto context =
        sys::open_filesystem("cgroup2").or_throw("open filesystem type", "cgroup2");
    auto mount = create_filesystem(context, "cgroup2", {}, operation.flags.set);
    attach_with_flags(std::move(mount), operation.flags, operation.target);
}

void RootBuilder::attach_cgroup_folders(std::vector<CgroupTree> trees,
                                        const plan::MountCgroup& operation) {
    const auto context = sys::open_filesystem("tmpfs").or_throw("open filesystem type", "tmpfs");
    auto top = create_filesystem(context, "tmpfs", {{"mode", "0755"}}, 0);
    for (const auto& folder : trees) {
        sys::mkdir_at(top, folder.name, 0755).or_throw("make folder", folder.name);
        for (const auto& link : folder.links)
            if (::symlinkat(folder.name.c_str(), top.get(), link.c_str()) < 0)
                throw Error::from_errno(errno, "make symlink", link);
    }
    attach_with_flags(std::move(top), operation.flags, operation.target);
    for (auto& folder : trees)
        attach_with_flags(std::move(folder.tree), operation.flags,
                          operation.target + "/" + folder.name);
}

void RootBuilder::bind(std::size_t number, const plan::MountFlags& flags,
                       const std::string& target) {
    attach_with_flags(std::move(sources_.binds.at(number)), flags, target);
}

void RootBuilder::make_device(std::size_t number, const plan::MakeDevice& operation) {
    if (const auto from_host = sources_.devices.find(number); from_host != sources_.devices.end())
        return attach_with_flags(std::move(from_host->second), {}, operation.path);
    const auto parent =
        sys::make_parent_in_root(root_, operation.path).or_throw("make folder of", operation.path);
    const std::string name{parent.name};
    const dev_t device = makedev(operation.major, operation.minor);
    if (::mknodat(parent.folder.get(), name.c_str(), operation.mode, device) < 0) {
        const int error = errno;
        const auto there = sys::stat_at(parent.folder, name);
        const bool same = there && (there.value().st_mode & S_IFMT) == (operation.mode & S_IFMT) &&
                          there.value().st_rdev == device;
        if (error == EEXIST && same) return;
        throw Error::from_errno(error, "make device", operation.path);
    }
    const auto node = sys::open_at(parent.folder, name, O_PATH | O_NOFOLLOW)
                          .or_throw("open device", operation.path);
    if (::fchownat(node.get(), "", operation.uid, operation.gid, AT_EMPTY_PATH) < 0)
        throw Error::from_errno(errno, "chown device", operation.path);
}

void RootBuilder::make_symlink(const plan::MakeSymlink& operation) {
    const auto parent =
        sys::make_parent_in_root(root_, operation.path).or_throw("make folder of", operation.path);
    if (::symlinkat(operation.target.c_str(), parent.folder.get(),
                    std::string{parent.name}.c_str()) < 0 &&
        errno != EEXIST)
        throw Error::from_errno(errno, "make symlink", operation.path);
}

void RootBuilder::bind_console() {
    terminal_ = open_terminal(root_, plan_.process);
    auto slave = sys::clone_tree(terminal_.slave, "", sys::Recursive::no).or_throw("clone", "pty");
    attach_with_flags(std::move(slave), {}, "/dev/console");
}

void RootBuilder::mask(const std::string& path) {
    const auto target = sys::open_in_root(root_, path, O_PATH);
    if (!target && (target.error() == ENOENT || target.error() == ENOTDIR)) return;
    if (!target) throw Error::from_errno(target.error(), "open", path);
    const auto status = sys::stat_fd(target.value()).or_throw("stat", path);
    if (!S_ISDIR(status.st_mode)) {
        const auto null = std::move(sources_.null_devices.back());
        sources_.null_devices.pop_back();
        sys::attach(null, target.value()).or_throw("mask", path);
        return;
    }
    UniqueFd cover;
    if (empty_folder_) {
        cover = sys::clone_tree(empty_folder_, "", sys::Recursive::no)
                    .or_throw("clone", "empty folder");
    } else {
        const auto context =
            sys::open_filesystem("tmpfs").or_throw("open filesystem type", "tmpfs");
        cover = create_filesystem(
            context, "tmpfs", {{"mode", "0555"}, {"size", "0"}, {"nr_inodes", "1"}},
            MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    }
    sys::attach(cover, target.value()).or_throw("mask", path);
    if (!empty_folder_) empty_folder_ = std::move(cover);
}

void RootBuilder::make_readonly(const std::string& path) {
    const auto target = sys::open_in_root(root_, path, O_PATH);
    if (!target && (target.error() == ENOENT || target.error() == ENOTDIR)) return;
    if (!target) throw Error::from_errno(target.error(), "open", path);
    const auto tree =
        sys::clone_tree(target.value(), "", sys::Recursive::yes).or_throw("clone", path);
    sys::set_attributes(tree, MOUNT_ATTR_RDONLY, 0, 0, sys::Recursive::yes)
        .or_throw("make read-only", path);
    sys::attach(tree, target.value()).or_throw("attach mount on", path);
}

void RootBuilder::pivot() {
    fault_point("launch.pivot");
    if (use_chroot_)
        sys::chroot_into(root_).or_throw("chroot into", plan_.root.host_path);
    else
        sys::pivot_into(root_).or_throw("pivot into", plan_.root.host_path);
    if (plan_.root.propagation != 0)
        sys::set_attributes(
            root_, 0, 0, plan_.root.propagation,
            plan_.root.propagation_recursive ? sys::Recursive::yes : sys::Recursive::no)
            .or_throw("set propagation of", "/");
}

std::vector<int> RootBuilder::descriptors() const {
    std::vector<int> open;
    for (const auto fd : {root_.ref(), empty_folder_.ref(), sight_.keeper.ref(), sight_.home.ref()})
        if (fd.valid()) open.push_back(fd.get());
    for (const auto& device : sources_.null_devices)
        open.push_back(device.get());
    for (const auto* list : {&sources_.binds, &sources_.devices})
        for (const auto& [number, tree] : *list)
            if (tree.valid()) open.push_back(tree.get());
    for (const auto& [number, trees] : sources_.cgroups)
        for (const auto& folder : trees)
            open.push_back(folder.tree.get());
    return open;
}

void RootBuilder::close() {
    root_.reset();
    empty_folder_.reset();
    sight_ = {};
    sources_ = {};
}

}  // namespace covey::launch
