// Whose process is it: by cgroup, never by parent links, which lie after a double fork.
#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <cerrno>

namespace covey::cgroup {
namespace {

/// A line of /proc/<pid>/cgroup is "id:controllers:path"; v2's is "0::path" (cgroups(7)).
bool is_identity_line(std::string_view controllers, bool v2) {
    if (v2) return controllers.empty();
    const auto names = split(controllers, ',');
    return std::find(names.begin(), names.end(), "freezer") != names.end();
}

/// The path below what the mount shows, as the kernel writes those outside a cgroup namespace.
std::string below_root(std::string_view path, std::string_view root) {
    if (root.empty()) return std::string{path};
    if (path == root) return "/";
    if (path.starts_with(root) && path[root.size()] == '/')
        return std::string{path.substr(root.size())};
    return "/.." + std::string{path};
}

}  // namespace

std::string identity_of(const Host& host, FdRef proc, pid_t pid) {
    constexpr std::size_t kLimit = 1U << 16U;
    constexpr std::string_view kRemoved = " (deleted)";  // a zombie outlives its group
    const auto name = std::to_string(pid) + "/cgroup";
    const auto text = sys::read_file_at(proc, name, kLimit);
    if (!text && (text.error() == ENOENT || text.error() == ESRCH)) return {};
    if (!text) throw Error::from_errno(text.error(), "read", "/proc/" + name);
    for (const auto line : split(text.value(), '\n')) {
        const auto first = line.find(':');
        const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        if (!is_identity_line(line.substr(first + 1, second - first - 1), !host.unified.empty()))
            continue;
        auto path = line.substr(second + 1);
        if (path.ends_with(kRemoved)) path.remove_suffix(kRemoved.size());
        return below_root(path, host.identity_root);
    }
    return {};
}

}  // namespace covey::cgroup
