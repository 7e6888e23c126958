#include "cgroup/tree.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace covey::cgroup {
namespace {

constexpr mode_t kGroupMode = 0755;
constexpr std::size_t kControlFileLimit = 1U << 20U;

/// Whoever is in a container may read its group, and mounting cgroup2 in a user namespace walks
/// down to it as its root (before Linux 6.15): not left to the umask.
Result<void> make_group(FdRef parent, std::string_view name) {
    if (const auto made = sys::mkdir_at(parent, name, kGroupMode); !made) return made;
    if (::fchmodat(parent.get(), std::string{name}.c_str(), kGroupMode, 0) == 0) return {};
    const int error = errno;
    (void)sys::rmdir_at(parent, name);
    return Errno{error};
}

/// Opens `relative` component by component, making what is missing.
Result<UniqueFd> ensure_beneath(UniqueFd dir, std::string_view relative) {
    for (const auto name : split(relative, '/')) {
        const auto made = make_group(dir, name);
        if (!made && made.error() != EEXIST) return Errno{made.error()};
        auto next = open_beneath(dir, name);
        if (!next) return next;
        dir = std::move(next).value();
    }
    return dir;
}

}  // namespace

Result<UniqueFd> open_beneath(FdRef dir, std::string_view relative) {
    const std::string name{relative};
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    while (true) {
        // lib/sys resolves within a root; here leaving the tree must be an error.
        const long fd = ::syscall(  // lint: allow banned_calls because of that
            SYS_openat2, dir.get(), name.c_str(), &how, sizeof how);
        if (fd >= 0) return UniqueFd{static_cast<int>(fd)};
        // EAGAIN: a rename somewhere raced with the lookup (openat2(2)).
        if (errno != EINTR && errno != EAGAIN) return Errno{errno};
    }
}

void check_path(std::string_view path) {
    const auto refuse = [&](std::string_view why) {
        throw Error(Code::invalid_argument, fmt::format("cgroup path '{}': {}", path, why))
            .with_fix("give an absolute path such as /covey/web.pod");
    };
    if (path.empty() || path.front() != '/') refuse("must begin with '/'");
    if (path == "/") refuse("the root itself is not a group of Covey's");
    if (path.size() >= 4096) refuse("longer than 4095 bytes");
    for (const auto part : split(path.substr(1), '/')) {
        if (part.empty()) refuse("has an empty component");
        if (part == "." || part == "..") refuse("'.' and '..' are not allowed");
        if (part.size() > 255) refuse("a component is longer than 255 bytes");
        for (const char letter : part)
            if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f)
                refuse("has a control character");
    }
}

std::string_view parent_path(std::string_view path) noexcept {
    return path.substr(0, path.rfind('/'));
}

Result<UniqueFd> open_group(const std::string& mount, std::string_view path) {
    auto top = sys::open_dir(mount);
    if (!top) return top;
    return open_beneath(top.value(), path.substr(1));
}

Result<UniqueFd> make_group(const std::string& mount, std::string_view path) {
    auto top = sys::open_dir(mount);
    if (!top) return top;
    UniqueFd parent = std::move(top).value();
    if (const auto above = parent_path(path); !above.empty()) {
        auto opened = open_beneath(parent, above.substr(1));
        if (!opened && opened.error() == ENOENT)
            opened = ensure_beneath(std::move(parent), above.substr(1));
        if (!opened) return opened;
        parent = std::move(opened).value();
    }
    const auto name = path.substr(path.rfind('/') + 1);
    if (const auto made = make_group(parent, name); !made) return Errno{made.error()};
    auto group = open_beneath(parent, name);
    if (!group) (void)sys::rmdir_at(parent, name);
    return group;
}

Result<UniqueFd> ensure_group(const std::string& mount, std::string_view path) {
    auto made = make_group(mount, path);
    if (!made && made.error() == EEXIST) return open_group(mount, path);
    return made;
}

std::optional<std::string> read_control(FdRef group, std::string_view file) {
    auto text = sys::read_file_at(group, file, kControlFileLimit);
    // ENODEV: the group was removed after the file was opened (kernfs).
    if (!text && (text.error() == ENOENT || text.error() == ENODEV)) return std::nullopt;
    auto value = std::move(text).or_throw("read cgroup file", file);
    if (!value.empty() && value.back() == '\n') value.pop_back();
    return value;
}

std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key) {
    for (const auto line : split(text, '\n'))
        if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
            return parse_u64(trim(line.substr(key.size() + 1)));
    return std::nullopt;
}

}  // namespace covey::cgroup
