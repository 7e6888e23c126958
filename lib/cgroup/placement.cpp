#include "cgroup/placement.hpp"

#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/tree.hpp"
#include "sys/file.hpp"

namespace covey::cgroup {
namespace {

constexpr std::string_view kOwnCgroups = "/proc/self/cgroup";

/// "/a/b" of "a//b/../b/.": lexical, and ".." at the top stays at the top.
std::string clean(std::string_view path) {
    std::vector<std::string_view> kept;
    for (const auto part : split(path, '/')) {
        if (part.empty() || part == ".") continue;
        if (part != "..")
            kept.push_back(part);
        else if (!kept.empty())
            kept.pop_back();
    }
    std::string cleaned;
    for (const auto part : kept)
        cleaned.append("/").append(part);
    return cleaned;
}

/// Where the caller is in the hierarchy, "" for its top. Also "" when that lies outside what the
/// mount shows: then nothing nearer can be reached.
std::string own_path(std::string_view own_cgroups, std::string_view controller,
                     const std::string& shown_root) {
    auto path = cgroup_of(own_cgroups, controller);
    if (!path) return {};
    auto below = below_root(*path, shown_root);
    return below == "/" || below.starts_with("/..") ? std::string{} : below;
}

}  // namespace

const std::string& Placement::in(const std::string& v1_mount) const {
    const auto other = v1_paths.find(v1_mount);
    return other == v1_paths.end() ? path : other->second;
}

Placement Placement::below(std::string_view name) const {
    const auto extend = [&](const std::string& above) { return above + "/" + std::string{name}; };
    Placement child{extend(path)};
    for (const auto& [mount, above] : v1_paths)
        child.v1_paths.emplace(mount, extend(above));
    return child;
}

Placement resolve_path_with(std::string_view cgroups_path, std::string_view id, const Host& host,
                            std::string_view own_cgroups, NeedsV2 needs) {
    const auto inner = clean(cgroups_path.empty() ? id : cgroups_path);
    check_path(inner);
    if (cgroups_path.starts_with('/')) return inner;

    Placement placement;
    for (const auto& [name, mount] : host.v1) {
        const auto root = host.v1_roots.find(mount);
        placement.v1_paths[mount] =
            own_path(own_cgroups, name, root == host.v1_roots.end() ? "" : root->second) + inner;
    }
    if (host.unified.empty()) {
        placement.path = placement.v1_paths.at(host.identity_mount());
    } else {
        const auto own = own_path(own_cgroups, "", host.identity_root);
        // Below it, as in v1, callers of different groups have groups of their own.
        const bool is_beside = host.v1.empty() || needs == NeedsV2::yes;
        placement.path = (is_beside ? std::string{parent_path(own)} : own) + inner;
    }
    std::erase_if(placement.v1_paths,
                  [&](const auto& entry) { return entry.second == placement.path; });
    return placement;
}

Placement resolve_path(std::string_view cgroups_path, std::string_view id, const Host& host,
                       NeedsV2 needs) {
    std::string own;
    if (!cgroups_path.starts_with('/'))
        own = sys::read_file(kOwnCgroups).or_throw("read", kOwnCgroups);
    return resolve_path_with(cgroups_path, id, host, own, needs);
}

}  // namespace covey::cgroup
