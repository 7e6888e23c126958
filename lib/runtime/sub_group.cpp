#include "runtime/sub_group.hpp"

#include "base/text.hpp"
#include "cgroup/oci_group.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <set>

namespace covey::runtime {
namespace {

Error bad_flag(const std::string& flag, std::string_view why) {
    return Error(Code::invalid_argument, fmt::format("flag --cgroup {}: {}", flag, why))
        .with_fix("use PATH once, or CONTROLLER[,CONTROLLER]:PATH with v1 controllers, each once");
}

/// "/a/b" of "a//b/": below the container's group by its text alone.
std::string relative_path(const std::string& flag, std::string_view path) {
    std::string clean;
    for (const auto part : split(path, '/')) {
        if (part.empty() || part == ".") continue;
        if (part == "..") throw bad_flag(flag, "'..' leads out of the container's group");
        clean.append("/").append(part);
    }
    return clean;
}

void require_there(const std::string& mount, const std::string& path) {
    if (!sys::open_dir(mount + path))
        throw Error(Code::not_found, fmt::format("flag --cgroup: no cgroup {}{}", mount, path))
            .with_fix("make the group below the container's first");
}

/// A group that the container sees, or one that was made beside its processes' on the host.
std::string find_below(const std::string& mount, const std::string& container,
                       const std::string& below) {
    auto inside = cgroup::processes_path(mount, container) + below;
    return sys::open_dir(mount + inside) ? std::move(inside) : container + below;
}

cgroup::Placement everywhere(const cgroup::Host& host, const cgroup::Placement& container,
                             const std::string& flag) {
    const auto below = relative_path(flag, flag);
    if (below.empty()) return container;
    const auto& identity = host.identity_mount();
    cgroup::Placement placement{find_below(identity, container.path, below)};
    require_there(identity, placement.path);
    // Where the container has no group of its own there is none to go below.
    for (const auto& [controller, mount] : host.v1) {
        auto path = find_below(mount, container.in(mount), below);
        if (sys::open_dir(mount + container.in(mount))) require_there(mount, path);
        if (path != placement.path) placement.v1_paths[mount] = std::move(path);
    }
    return placement;
}

}  // namespace

cgroup::Placement sub_group(const cgroup::Host& host, const cgroup::Placement& container,
                            const std::vector<std::string>& flags) {
    if (flags.empty()) return container;
    if (flags.size() == 1 && flags.front().find(':') == std::string::npos)
        return everywhere(host, container, flags.front());
    auto placement = container;
    std::set<std::string> named;
    for (const auto& flag : flags) {
        const auto colon = flag.find(':');
        if (colon == std::string::npos) throw bad_flag(flag, "its controller is missing");
        const auto below = relative_path(flag, std::string_view{flag}.substr(colon + 1));
        for (const auto name : split(std::string_view{flag}.substr(0, colon), ',')) {
            const auto found = host.v1.find(std::string{name});
            if (found == host.v1.end())
                throw bad_flag(flag, fmt::format("no v1 hierarchy has controller '{}'", name));
            if (!named.emplace(name).second)
                throw bad_flag(flag, fmt::format("controller {} is named twice", name));
            const auto path = find_below(found->second, container.in(found->second), below);
            require_there(found->second, path);
            placement.v1_paths[found->second] = path;
        }
    }
    return placement;
}

}  // namespace covey::runtime
