#include "launch/host_proc.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <string_view>

#include <linux/magic.h>

namespace covey::launch {
namespace {

constexpr std::size_t kMountinfoLimit = 64U << 20U;

Error shows_too_much(const std::string& path, std::string_view why) {
    return Error(Code::invalid_spec,
                 fmt::format("{} {}, which shows a container with restricted access what its "
                             "access keeps from it",
                             path, why))
        .with_fix(
            "leave it out (a mount of type proc shows the container's own processes), or use "
            "access open");
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

/// The mount point of a line that is about a procfs, else nothing.
std::string procfs_point(std::string_view line) {
    constexpr std::string_view kType = " - proc ";
    if (line.find(kType) == std::string_view::npos) return {};
    constexpr std::size_t kPoint = 4;
    const auto fields = split(line, ' ');
    return fields.size() > kPoint ? unescaped(fields[kPoint]) : std::string{};
}

}  // namespace

void refuse_host_proc(FdRef place, const std::string& path, sys::Recursive recursive) {
    const auto magic = sys::filesystem_magic(place).or_throw("statfs", path);
    if (magic == PROC_SUPER_MAGIC) throw shows_too_much(path, "is on a procfs of the host");
    if (recursive == sys::Recursive::no) return;
    auto folder =
        sys::readlink_at(sys::kCwd, sys::fd_path(place)).or_throw("find the path of", path);
    if (!folder.ends_with('/')) folder += '/';
    const auto table = sys::read_file("/proc/self/mountinfo", kMountinfoLimit)
                           .or_throw("read", "/proc/self/mountinfo");
    for (const auto line : split(table, '\n'))
        if (const auto point = procfs_point(line); point.starts_with(folder))
            throw shows_too_much(path, fmt::format("has a procfs of the host at {}", point));
}

}  // namespace covey::launch
