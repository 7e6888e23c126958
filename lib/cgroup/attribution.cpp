// Whose process is it: by cgroup, never by parent links, which lie after a double fork.
#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <cerrno>

#include <unistd.h>

namespace covey::cgroup {
namespace {

constexpr std::string_view kRemoved = " (deleted)";  // a zombie outlives its group

std::optional<std::string_view> group_as_told(std::string_view text, std::string_view controller) {
    for (const auto line : split(text, '\n')) {
        const auto first = line.find(':');
        const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const auto names = split(line.substr(first + 1, second - first - 1), ',');
        if (std::find(names.begin(), names.end(), controller) == names.end()) continue;
        return line.substr(second + 1);
    }
    return std::nullopt;
}

std::string_view without_mark(std::string_view path) {
    if (path.ends_with(kRemoved)) path.remove_suffix(kRemoved.size());
    return path;
}

/// A tenant may have given a group of his that very name.
bool is_a_name(const Host& host, std::string_view path) {
    return path.ends_with(kRemoved) &&
           sys::open_dir(host.identity_mount() + below_root(path, host.identity_root)).has_value();
}

}  // namespace

std::optional<std::string> cgroup_of(std::string_view text, std::string_view controller) {
    const auto path = group_as_told(text, controller);
    if (!path) return std::nullopt;
    return std::string{without_mark(*path)};
}

std::string below_root(std::string_view path, std::string_view root) {
    if (root.empty()) return std::string{path};
    if (path == root) return "/";
    if (path.starts_with(root) && path[root.size()] == '/')
        return std::string{path.substr(root.size())};
    return "/.." + std::string{path};
}

std::string identity_of(const Host& host, FdRef proc, pid_t pid) {
    constexpr std::size_t kLimit = 1U << 16U;
    const auto name = std::to_string(pid) + "/cgroup";
    const auto text = sys::read_file_at(proc, name, kLimit);
    // A kernel that refuses instead of cutting off: whose it is cannot be told.
    if (!text && text.error() == ENAMETOOLONG) return "/../(longer than PATH_MAX)";
    if (!text && (text.error() == ENOENT || text.error() == ESRCH)) return {};
    if (!text) throw Error::from_errno(text.error(), "read", "/proc/" + name);
    const auto told = group_as_told(text.value(), host.unified.empty() ? "freezer" : "");
    if (!told) return {};
    const std::optional path{std::string{is_a_name(host, *told) ? *told : without_mark(*told)}};
    // Cut off by the kernel: the group that the last whole component names is above the process's.
    const bool is_cut = path->size() >= kLongestTold;
    return below_root(is_cut ? std::string{parent_path(*path)} : *path, host.identity_root);
}

bool is_in_group(std::string_view group, std::string_view above) noexcept {
    if (above == "/") return true;
    return group.starts_with(above) && (group.size() == above.size() || group[above.size()] == '/');
}

UniqueFd open_own(const Host& host) {
    if (host.unified.empty()) return {};
    const auto proc = sys::open_dir("/proc");
    if (!proc) return {};
    const auto path = identity_of(host, proc.value(), ::getpid());
    if (path.empty() || path.starts_with("/..")) return {};
    auto group = sys::open_dir(host.unified + path);
    return group ? std::move(group).value() : UniqueFd{};
}

}  // namespace covey::cgroup
