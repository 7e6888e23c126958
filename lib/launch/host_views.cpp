#include "launch/host_views.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/mount.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <set>
#include <string_view>

#include <linux/magic.h>
#include <linux/mount.h>

namespace covey::launch {
namespace {

constexpr std::size_t kMountinfoLimit = 64U << 20U;

/// A kind of file system that is looked for, as statfs(2) and the mount table name it.
struct View {
    std::uint64_t magic;
    std::string_view type;
    bool only_written;
    const char* what;
    const char* harm;
    const char* fix;
};
constexpr const char* kProcHarm =
    "which shows a container with restricted access what its access keeps from it";
constexpr const char* kProcFix =
    "leave it out (a mount of type proc shows the container's own processes), or use access open";
constexpr const char* kGroupsHarm =
    "by which a container with restricted access ends or stops processes of its neighbours";
constexpr const char* kGroupsFix =
    "mount it read-only (ro, and rro for what is mounted in it), or use access open";
constexpr std::array kViews{
    View{PROC_SUPER_MAGIC, "proc", false, "a procfs of the host", kProcHarm, kProcFix},
    View{CGROUP_SUPER_MAGIC, "cgroup", true, "a cgroup file system of the host that can be written",
         kGroupsHarm, kGroupsFix},
    View{CGROUP2_SUPER_MAGIC, "cgroup2", true,
         "a cgroup file system of the host that can be written", kGroupsHarm, kGroupsFix},
};

Error refused(const View& view, const std::string& path, const std::string& where) {
    return Error(Code::invalid_spec, fmt::format("{} {}, {}", path, where, view.harm))
        .with_fix(view.fix);
}

/// Blanks and backslashes in proc_pid_mountinfo(5) are "\040" and the like.
std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 3 >= text.size()) {
            plain += text[i];
            continue;
        }
        int value = 0;
        for (int digit = 0; digit < 3; ++digit)
            value = value * 8 + (text[++i] - '0');
        plain += static_cast<char>(value);
    }
    return plain;
}

/// A line of proc_pid_mountinfo(5): what of the file system is mounted, where, and its type.
struct MountLine {
    std::string_view root;
    std::string point;
    std::string_view type;
};
MountLine read_line(std::string_view line) {
    constexpr std::string_view kBeforeType = " - ";
    constexpr std::size_t kRoot = 3, kPoint = 4;
    const auto end = line.find(kBeforeType);
    if (end == std::string_view::npos) return {};
    const auto fields = split(line.substr(0, end), ' ');
    const auto rest = line.substr(end + kBeforeType.size());
    if (fields.size() <= kPoint) return {};
    return {fields[kRoot], unescaped(fields[kPoint]), rest.substr(0, rest.find(' '))};
}

std::string read_mountinfo() {
    constexpr const char* kTable = "/proc/self/mountinfo";
    return sys::read_file(kTable, kMountinfoLimit).or_throw("read", kTable);
}

bool is_full_view(const MountLine& line) {
    return line.root == "/" && (line.type == "proc" || line.type == "sysfs");
}

/// What is mounted on top at `point` is out of the kernel's sight then, or at least of ours.
Result<void> hide(const std::string& point) {
    auto detached = sys::detach_at(sys::kCwd, point);
    if (detached || (detached.error() != EINVAL && detached.error() != EPERM)) return detached;
    const auto context = sys::open_filesystem("tmpfs");
    if (!context) return Errno{context.error()};
    const auto cover = sys::finish_filesystem(context.value(), MOUNT_ATTR_RDONLY);
    if (!cover) return Errno{cover.error()};
    return sys::attach_at(cover.value(), sys::kCwd, point);
}

}  // namespace

std::vector<std::string> full_views() {
    std::vector<MountLine> lines;
    std::set<std::string> points;
    const auto table = read_mountinfo();
    for (const auto text : split(table, '\n')) {
        auto line = read_line(text);
        if (is_full_view(line)) points.insert(line.point);
        lines.push_back(std::move(line));
    }
    std::vector<std::string> found;
    for (auto& line : lines)
        if (points.contains(line.point)) found.push_back(std::move(line.point));
    return found;
}

void hide_full_views(const std::vector<std::string>& points) {
    for (auto point = points.rbegin(); point != points.rend(); ++point)
        if (const auto hidden = hide(*point); !hidden)
            throw Error::from_errno(hidden.error(), "hide the host's", *point)
                .with_fix(
                    "without pivot_root(2) a container could mount a /proc without its masks "
                    "by it: unmount it, or do without --no-pivot");
}

void refuse_host_views(FdRef place, const std::string& path, const SourceUse& use) {
    const auto magic = sys::filesystem_magic(place).or_throw("statfs", path);
    for (const auto& view : kViews)
        if (magic == view.magic && !(view.only_written && use.is_read_only))
            throw refused(view, path, fmt::format("is on {}", view.what));
    if (use.recursive == sys::Recursive::no) return;
    auto folder =
        sys::readlink_at(sys::kCwd, sys::fd_path(place)).or_throw("find the path of", path);
    if (!folder.ends_with('/')) folder += '/';
    const auto table = read_mountinfo();
    for (const auto text : split(table, '\n')) {
        const auto line = read_line(text);
        if (!line.point.starts_with(folder)) continue;
        for (const auto& view : kViews)
            if (line.type == view.type && !(view.only_written && use.is_read_only_below))
                throw refused(view, path, fmt::format("has {} at {}", view.what, line.point));
    }
}

}  // namespace covey::launch
