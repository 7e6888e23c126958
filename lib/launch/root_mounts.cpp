// What RootBuilder mounts: filesystems, procfs, cgroups, binds, and what a later operation changes
// of them. Each is made detached, gets its flags, and is attached then.
#include "launch/copy_up.hpp"
#include "launch/long_option.hpp"
#include "launch/proc_context.hpp"
#include "launch/root_builder.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
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

void RootBuilder::attach_with_flags(UniqueFd mount, const plan::MountFlags& flags,
                                    const std::string& target) {
    set_flags(mount, flags, target);
    const auto status = sys::stat_fd(mount).or_throw("stat", target);
    const auto kind = S_ISDIR(status.st_mode) ? sys::TargetKind::folder : sys::TargetKind::file;
    attach_on(place_for(target, kind), std::move(mount), flags, target);
}

/// The kernel's words for a mount of a file on a folder, or the other way round, name neither.
UniqueFd RootBuilder::place_for(const std::string& target, sys::TargetKind kind) const {
    const auto mismatch = [&](const char* mount, const char* place) {
        return Error(Code::invalid_spec, fmt::format("what is to be mounted on {} is a {}, and "
                                                     "that is a {}",
                                                     target, mount, place))
            .with_fix(
                "mount a file on a file and a folder on a folder: look at the source and at "
                "the destination in the root filesystem");
    };
    const bool is_folder = kind == sys::TargetKind::folder;
    try {
        auto place = placed_.make_target(target, kind);
        if (!is_folder && S_ISDIR(sys::stat_fd(place).or_throw("stat", target).st_mode))
            throw mismatch("file", "folder");
        return place;
    } catch (const Error& error) {
        if (is_folder && error.errno_value() == ENOTDIR)
            throw mismatch("folder", "file, or has one on the way to it");
        throw;
    }
}

void RootBuilder::attach_on(FdRef place, UniqueFd mount, const plan::MountFlags& flags,
                            const std::string& target) {
    sys::attach(mount, place).or_throw("attach mount on", target);
    placed_.note(target, mount, place);
    // Propagation last: a mount in an anonymous namespace has no peers to join.
    set_propagation(mount, flags, target);
    attached_ = std::move(mount);
}

bool RootBuilder::is_remounted(std::size_t number) const {
    const auto changes_it = [&](const auto& any) {
        const auto* one = std::get_if<plan::Remount>(&any);
        return one != nullptr && one->of == number;
    };
    return std::any_of(plan_.operations.begin(), plan_.operations.end(), changes_it) ||
           std::any_of(plan_.protections.begin(), plan_.protections.end(), changes_it);
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
    if (operation.type != "tmpfs")
        return attach_with_flags(
            create_filesystem(context, operation.type, operation.options, operation.flags.set),
            operation.flags, operation.target);
    auto options = operation.options;
    const auto place = place_of_tmpfs(operation, options);
    auto mount = create_filesystem(context, operation.type, options,
                                   operation.copy_up ? 0 : operation.flags.set);
    // What is copied is what will be covered.
    if (operation.copy_up) copy_up(place, mount);
    set_flags(mount, operation.flags, operation.target);
    attach_on(place, std::move(mount), operation.flags, operation.target);
}

/// A tmpfs whose mode nobody names is as the folder that it covers, as with other runtimes: 1777,
/// the kernel's choice, would open one that the image has closed.
UniqueFd RootBuilder::place_of_tmpfs(const plan::MountFilesystem& operation,
                                     sys::MountOptions& options) const {
    constexpr mode_t kModeBits = 07777;
    const bool has_mode = std::any_of(options.begin(), options.end(),
                                      [](const auto& option) { return option.first == "mode"; });
    if (has_mode) return place_for(operation.target, sys::TargetKind::folder);
    auto there = placed_.find_folder(operation.target);
    if (!there) return place_for(operation.target, sys::TargetKind::folder);
    const auto status = sys::stat_fd(*there).or_throw("stat", operation.target);
    options.emplace_back("mode", fmt::format("{:04o}", status.st_mode & kModeBits));
    return std::move(*there);
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
    auto mount = create_filesystem(context, "proc", operation.options, operation.flags.set);
    // The context of a helper's in the pod's sight: whoever spoke in its place has made no other
    // file system of it.
    if (sys::filesystem_magic(mount).or_throw("statfs", "proc") != PROC_SUPER_MAGIC)
        throw Error(Code::failed_precondition, "the procfs helper sent no procfs")
            .with_fix("look who of the pod has SYS_PTRACE, or use Linux 6.18");
    return mount;
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
    const auto folders = sys::duplicate(top).or_throw("dup", "tmpfs");
    attach_with_flags(std::move(top), operation.flags, operation.target);
    for (auto& folder : trees) {
        const auto target = operation.target + "/" + folder.name;
        const auto place = sys::open_dir_at(folders, folder.name).or_throw("open", target);
        set_flags(folder.tree, operation.flags, target);
        attach_on(place, std::move(folder.tree), operation.flags, target);
    }
}

void RootBuilder::bind(std::size_t number, const plan::BindMount& operation) {
    if (operation.inner_source.empty())
        return attach_with_flags(std::move(sources_.binds.at(number)), operation.flags,
                                 operation.target);
    const auto place = placed_.find(operation.inner_source, O_PATH);
    if (!place)
        throw Error(Code::not_found,
                    fmt::format("open bind source {}: it is not there", operation.host_source))
            .with_fix("it lies in the root filesystem: a mount of the list before it must have it");
    attach_with_flags(clone_inner(*place, operation), operation.flags, operation.target);
}

UniqueFd RootBuilder::make_empty_folder() {
    const auto context = sys::open_filesystem("tmpfs").or_throw("open filesystem type", "tmpfs");
    return create_filesystem(
        context, "tmpfs", {{"mode", "0555"}, {"size", "0"}, {"nr_inodes", "1"}},
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

}  // namespace covey::launch
