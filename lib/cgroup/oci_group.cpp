#include "cgroup/oci_group.hpp"

#include "base/rollback.hpp"
#include "base/text.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <cerrno>

namespace covey::cgroup {
namespace {

bool says_forbidden(const Error& error) {
    return error.errno_value() == EACCES || error.errno_value() == EPERM ||
           error.errno_value() == EROFS;
}

}  // namespace

std::optional<Group> make_container_group(const Host& host, const Placement& placement,
                                          Rights rights, const Limits& limits) {
    const bool is_rootless = rights == Rights::rootless;
    std::optional<Group> group;
    try {
        group.emplace(Group::create_or_take(host, placement));
    } catch (const Error& error) {
        if (!is_rootless || !says_forbidden(error)) throw;
        if (limits.empty()) return std::nullopt;
        throw Error::restored(error.code(),
                              "the container's limits need a cgroup: " + error.detail(),
                              "have a cgroup delegated to this user, or leave the limits out",
                              error.causes(), error.errno_value());
    }
    Rollback rollback;
    rollback.add([&group] { group->remove(); });
    try {
        group->bound_below();
    } catch (const Error& error) {
        if (!is_rootless || !says_forbidden(error)) throw;  // what it took is another's to bound
    }
    const auto forbidden = is_rootless ? Forbidden::skip : Forbidden::refuse;
    group->extend_to_v1(forbidden);
    group->make_seats(forbidden);
    rollback.release();
    return group;
}

void remove_remains(const Host& host, const Placement& placement) {
    for (const auto& [controller, mount] : host.v1)
        if (const auto removed = remove_group(mount, placement.in(mount)); !removed)
            throw Error::from_errno(removed.error(), "remove cgroup", mount + placement.in(mount));
}

std::string processes_path(const std::string& mount, const std::string& path) {
    auto seat = seat_below(path);
    return open_group(mount, seat) ? std::move(seat) : path;
}

std::string processes_folder(const std::string& mount, const std::string& path) {
    return mount + processes_path(mount, path);
}

std::vector<GroupFolder> group_folders(const Host& host, const Placement& placement) {
    std::map<std::string, GroupFolder> folders;
    const auto add = [&](const std::string& mount, const std::string& path, std::string name) {
        auto dir = processes_folder(mount, path);
        if (!sys::open_dir(dir)) return;
        GroupFolder folder{std::move(name), {}, std::move(dir)};
        if (folder.name.find(',') != std::string::npos)
            for (const auto link : split(folder.name, ','))
                folder.links.emplace_back(link);
        folders.emplace(folder.name, std::move(folder));
    };
    for (const auto& [controller, mount] : host.v1)
        add(mount, placement.in(mount), mount.substr(mount.rfind('/') + 1));
    if (!host.unified.empty()) add(host.unified, placement.path, "unified");
    std::vector<GroupFolder> sorted;
    for (auto& [name, folder] : folders)
        sorted.push_back(std::move(folder));
    return sorted;
}

std::optional<Group> find_container_group(const Host& host, const Placement& placement) {
    try {
        return Group::open(host, placement);
    } catch (const Error& error) {
        if (error.code() != Code::not_found) throw;
        return std::nullopt;
    }
}

}  // namespace covey::cgroup
