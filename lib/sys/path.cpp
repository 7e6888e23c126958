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

Result<void> make_file(FdRef folder, std::string_view name) {
    const auto made =
        open_at(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK, kFileMode);
    if (!made) return Errno{made.error()};
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

namespace {

/// As the kernel's own (path_resolution(7)): more symlinks than that are ELOOP.
constexpr int kMostLinks = 40;

std::string_view above(std::string_view path) {
    const auto slash = path.find_last_of('/');
    return slash == std::string_view::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view last_of(std::string_view path) {
    const auto slash = path.find_last_of('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

/// What `path` means once its component that ends at `end`, a symlink that leads to nothing, has
/// been read: a path to be resolved within the root like any other, whoever wrote the link.
Result<std::string> through_link(FdRef parent, std::string_view path, std::size_t end,
                                 Scope scope) {
    const auto prefix = path.substr(0, end);
    auto link = readlink_at(parent, last_of(prefix));
    if (!link) return link;
    if (link.value().starts_with('/') && scope == Scope::beneath) return Errno{EXDEV};
    auto whole = link.value().starts_with('/') ? std::move(link).value()
                                               : std::string{above(prefix)} + "/" + link.value();
    if (end != std::string_view::npos) whole += path.substr(end);
    return whole;
}

/// One walk along `path`, whose missing components are made: folders, and `kind` at its end. Each
/// prefix is resolved in the root anew, so a symlink on the way stays inside as well; only the last
/// component of a prefix is ever made, in a folder that is already held. `next`: not empty, when a
/// symlink that leads to nothing stood in the way; then it is the path to go on with.
Result<UniqueFd> make_along(FdRef root, std::string_view path, TargetKind kind, Scope scope,
                            std::string& next) {
    for (std::size_t end = path.find('/', 1); true; end = path.find('/', end + 1)) {
        const auto prefix = path.substr(0, end);
        const bool is_file = end == std::string_view::npos && kind == TargetKind::file;
        const std::uint64_t flags = is_file ? O_PATH : O_PATH | O_DIRECTORY;
        auto found = open_within(root, scope, prefix, flags);
        if (!found && found.error() == ENOENT) {
            const auto name = last_of(prefix);
            auto parent = open_within(root, scope, above(prefix), O_PATH | O_DIRECTORY);
            if (!parent) return parent;
            const auto made = is_file ? make_file(parent.value(), name)
                                      : mkdir_at(parent.value(), name, kFolderMode);
            if (!made && made.error() != EEXIST) return Errno{made.error()};
            found = open_within(root, scope, prefix, flags);
            if (!found && found.error() == ENOENT && !made) {
                // Not even the open can tell: the name is there, and leads to nothing.
                auto target = through_link(parent.value(), path, end, scope);
                if (!target) return Errno{target.error() == EINVAL ? ENOENT : target.error()};
                next = std::move(target).value();
                return Errno{ENOENT};
            }
        }
        if (!found || end == std::string_view::npos) return found;
    }
}

Result<UniqueFd> make_in_root(FdRef root, std::string_view path, TargetKind kind, Scope scope) {
    // The usual case is one call: it is there.
    auto there =
        open_within(root, scope, path, kind == TargetKind::file ? O_PATH : O_PATH | O_DIRECTORY);
    if (there || there.error() != ENOENT) return there;
    std::string way{without_trailing_slashes(path)};
    for (int links = 0; links <= kMostLinks; ++links) {
        std::string next;
        auto made = make_along(root, way, kind, scope, next);
        if (made || next.empty()) return made;
        way = without_trailing_slashes(next);
    }
    return Errno{ELOOP};
}

}  // namespace

Result<UniqueFd> make_dir_in_root(FdRef root, std::string_view path, Scope scope) {
    return make_in_root(root, path, TargetKind::folder, scope);
}

Result<UniqueFd> make_target_in_root(FdRef root, std::string_view path, TargetKind kind,
                                     Scope scope) {
    return make_in_root(root, path, kind, scope);
}

}  // namespace covey::sys
