#include "sys/mount.hpp"

#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/last_errno.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

// <sys/mount.h> of glibc 2.36 clashes with <linux/mount.h>; these two are all we need of it.
extern "C" {
int mount(const char*, const char*, const char*, unsigned long, const void*) noexcept;
int umount2(const char*, int) noexcept;
}

namespace covey::sys {
namespace {

constexpr int kUmountNoFollow = 8;  // UMOUNT_NOFOLLOW

}  // namespace

Result<UniqueFd> clone_tree(FdRef dir, std::string_view path, Recursive recursive) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    if (path.empty()) flags |= AT_EMPTY_PATH;
    if (recursive == Recursive::yes) flags |= AT_RECURSIVE;
    const long fd = ::syscall(SYS_open_tree, dir.get(), std::string{path}.c_str(), flags);
    if (fd < 0) return last_errno();
    return UniqueFd{static_cast<int>(fd)};
}

Result<UniqueFd> open_filesystem(std::string_view type) {
    const long fd = ::syscall(SYS_fsopen, std::string{type}.c_str(), FSOPEN_CLOEXEC);
    if (fd < 0) return last_errno();
    return UniqueFd{static_cast<int>(fd)};
}

Result<void> configure(FdRef context, std::string_view key, std::string_view value) {
    const std::string name{key};
    const std::string text{value};
    const long result = text.empty() ? ::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FLAG,
                                                 name.c_str(), nullptr, 0)
                                     : ::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING,
                                                 name.c_str(), text.c_str(), 0);
    if (result < 0) return last_errno();
    return {};
}

Result<void> configure_fd(FdRef context, std::string_view key, FdRef value) {
    if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FD, std::string{key}.c_str(), nullptr,
                  value.get()) < 0)
        return last_errno();
    return {};
}

Result<UniqueFd> finish_filesystem(FdRef context, std::uint64_t attributes) {
    if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
        return last_errno();
    const long fd = ::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes);
    if (fd < 0) return last_errno();
    return UniqueFd{static_cast<int>(fd)};
}

Result<UniqueFd> open_mounted_filesystem(FdRef mount) {
    const long fd = ::syscall(SYS_fspick, mount.get(), "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
    if (fd < 0) return last_errno();
    return UniqueFd{static_cast<int>(fd)};
}

Result<void> finish_reconfiguration(FdRef context) {
    if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) < 0)
        return last_errno();
    return {};
}

std::string context_message(FdRef context) {
    std::array<char, 256> text{};
    const auto got = ::read(context.get(), text.data(), text.size());
    if (got <= 2) return {};
    // "e procfs: Unknown parameter 'x'": a letter for the level, a space, the text.
    return std::string{text.data() + 2, static_cast<std::size_t>(got - 2)};
}

Result<void> attach(FdRef mount, FdRef target) {
    if (::syscall(SYS_move_mount, mount.get(), "", target.get(), "",
                  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return last_errno();
    return {};
}

Result<void> attach_at(FdRef mount, FdRef dir, std::string_view path) {
    if (::syscall(SYS_move_mount, mount.get(), "", dir.get(), std::string{path}.c_str(),
                  MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return last_errno();
    return {};
}

Result<void> set_attributes(FdRef mount, std::uint64_t set, std::uint64_t clear,
                            std::uint64_t propagation, Recursive recursive) {
    mount_attr attributes{};
    attributes.attr_set = set;
    attributes.attr_clr = clear;
    attributes.propagation = propagation;
    const unsigned flags = AT_EMPTY_PATH | (recursive == Recursive::yes ? AT_RECURSIVE : 0U);
    if (::syscall(SYS_mount_setattr, mount.get(), "", flags, &attributes, sizeof attributes) < 0)
        return last_errno();
    return {};
}

Result<void> set_id_map(FdRef mount, FdRef user_namespace, Recursive recursive) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<__u64>(user_namespace.get());
    const unsigned flags = AT_EMPTY_PATH | (recursive == Recursive::yes ? AT_RECURSIVE : 0U);
    if (::syscall(SYS_mount_setattr, mount.get(), "", flags, &attributes, sizeof attributes) < 0)
        return last_errno();
    return {};
}

Result<void> set_propagation_of_all(std::uint64_t propagation) {
    if (::mount(nullptr, "/", nullptr, propagation | MS_REC, nullptr) < 0) return last_errno();
    return {};
}

namespace {

/// Which mount a name leads to. STATX_MNT_ID: Linux 5.8.
Result<std::uint64_t> mount_id(int dir, const char* name) {
    struct statx status {};
    if (::statx(dir, name, AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0) return last_errno();
    return std::uint64_t{status.stx_mnt_id};
}

}  // namespace

Result<std::uint64_t> mount_id(FdRef fd) {
    return mount_id(fd.get(), "");
}

Result<void> pivot_into(FdRef root) {
    const auto own = mount_id(root.get(), "");
    if (!own) return Errno{own.error()};
    if (::fchdir(root.get()) < 0) return last_errno();
    // The old root lands on top of the new one at "." (pivot_root(2), "pivot_root(".", ".")") and
    // is detached from there, so no folder for it is needed and none is left.
    if (::syscall(SYS_pivot_root, ".", ".") < 0) return last_errno();
    // umount2(2) takes what is on top: where the host has something mounted over its "/", that goes
    // first, and the host's root would stay. "/.." is what a container would see then.
    constexpr int kMostLayers = 64;
    for (int layer = 0; layer < kMostLayers; ++layer) {
        const auto top = mount_id(AT_FDCWD, "/..");
        if (!top) return Errno{top.error()};
        if (top.value() == own.value()) {
            if (::chdir("/") < 0) return last_errno();
            return {};
        }
        if (::umount2(".", MNT_DETACH) < 0) return last_errno();
    }
    return Errno{EBUSY};
}

Result<void> chroot_into(FdRef root) {
    if (::fchdir(root.get()) < 0 || ::chroot(".") < 0 || ::chdir("/") < 0) return last_errno();
    return {};
}

Result<void> detach_at(FdRef dir, std::string_view path) {
    // There may be no /proc to go by (any more).
    const std::string full = (dir.get() == AT_FDCWD ? "" : fd_path(dir) + "/") + std::string{path};
    if (::umount2(full.c_str(), MNT_DETACH | kUmountNoFollow) < 0) return last_errno();
    return {};
}

bool procfs_takes_pidns(FdRef pid_namespace) {
    const auto context = open_filesystem("proc");
    return context && configure_fd(context.value(), "pidns", pid_namespace);
}

}  // namespace covey::sys
