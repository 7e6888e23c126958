#include "sys/path.hpp"

#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace covey::sys {
namespace {

constexpr int kMostTries = 64;
constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;

std::string_view without_trailing_slashes(std::string_view path) {
    while (path.size() > 1 && path.back() == '/')
        path.remove_suffix(1);
    return path;
}

Result<void> made_or_there(Result<void> made) {
    if (!made && made.error() != EEXIST) return made;
    return {};
}

}  // namespace

Result<UniqueFd> open_within(FdRef folder, Scope scope, std::string_view path, std::uint64_t flags,
                             mode_t mode) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve =
        RESOLVE_NO_MAGICLINKS | (scope == Scope::in_root ? RESOLVE_IN_ROOT : RESOLVE_BENEATH);
    // An absolute path is EXDEV to RESOLVE_BENEATH.
    while (path.starts_with('/'))
        path.remove_prefix(1);
    const std::string name{path.empty() ? "." : path};
    for (int tries = 0; tries < kMostTries; ++tries) {
        const long fd = ::syscall(SYS_openat2, folder.get(), name.c_str(), &how, sizeof how);
        if (fd >= 0) return UniqueFd{static_cast<int>(fd)};
        if (errno != EAGAIN && errno != EINTR) break;
    }
    return Errno{errno};
}

Result<UniqueFd> open_in_root(FdRef root, std::string_view path, std::uint64_t flags, mode_t mode) {
    return open_within(root, Scope::in_root, path, flags, mode);
}

Result<UniqueFd> open_beneath(FdRef folder, std::string_view path, std::uint64_t flags) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
    const long fd =
        ::syscall(SYS_openat2, folder.get(), std::string{path}.c_str(), &how, sizeof how);
    if (fd < 0) return Errno{errno};
    return UniqueFd{static_cast<int>(fd)};
}

Result<UniqueFd> open_real(std::string_view path, std::uint64_t flags, mode_t mode) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const long fd = ::syscall(SYS_openat2, AT_FDCWD, std::string{path}.c_str(), &how, sizeof how);
    if (fd < 0) return Errno{errno};
    return UniqueFd{static_cast<int>(fd)};
}

Result<UniqueFd> make_dir_in_root(FdRef root, std::string_view path, Scope scope) {
    // The usual case is one call: it is there.
    auto there = open_within(root, scope, path, O_PATH | O_DIRECTORY);
    if (there || there.error() != ENOENT) return there;
    // Each prefix is resolved in the root anew, so a symlink on the way stays inside as well; only
    // the last component of a prefix is ever made, in a folder that is already held.
    path = without_trailing_slashes(path);
    for (std::size_t end = path.find('/', 1); true; end = path.find('/', end + 1)) {
        const auto prefix = path.substr(0, end);
        auto folder = open_within(root, scope, prefix, O_PATH | O_DIRECTORY);
        if (!folder && folder.error() == ENOENT) {
            const auto slash = prefix.find_last_of('/');
            const auto name = slash == std::string_view::npos ? prefix : prefix.substr(slash + 1);
            const auto above =
                slash == std::string_view::npos || slash == 0 ? "/" : prefix.substr(0, slash);
            auto parent = open_within(root, scope, above, O_PATH | O_DIRECTORY);
            if (!parent) return parent;
            if (auto made = made_or_there(mkdir_at(parent.value(), name, kFolderMode)); !made)
                return Errno{made.error()};
            // A dangling symlink of that name: mkdir says EEXIST, the lookup still ENOENT.
            folder = open_within(root, scope, prefix, O_PATH | O_DIRECTORY);
        }
        if (!folder || end == std::string_view::npos) return folder;
    }
}

Result<ParentInRoot> make_parent_in_root(FdRef root, std::string_view path, Scope scope) {
    path = without_trailing_slashes(path);
    const auto slash = path.find_last_of('/');
    const auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (name.empty() || name == "." || name == "..") return Errno{EINVAL};
    auto folder = make_dir_in_root(
        root, slash == std::string_view::npos || slash == 0 ? "/" : path.substr(0, slash), scope);
    if (!folder) return Errno{folder.error()};
    return ParentInRoot{std::move(folder).value(), name};
}

Result<UniqueFd> make_target_in_root(FdRef root, std::string_view path, TargetKind kind,
                                     Scope scope) {
    if (kind == TargetKind::folder) return make_dir_in_root(root, path, scope);
    auto there = open_within(root, scope, path, O_PATH);
    if (there || there.error() != ENOENT) return there;
    auto parent = make_parent_in_root(root, path, scope);
    if (!parent) return Errno{parent.error()};
    const auto made = open_at(parent.value().folder, parent.value().name,
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK, kFileMode);
    if (!made && made.error() != EEXIST) return Errno{made.error()};
    return open_within(root, scope, path, O_PATH);
}

}  // namespace covey::sys
