#include "runtime/group_parents.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <set>

namespace covey::runtime {

namespace {

std::set<std::string> made_for_others(const ContainerStore& store) {
    std::set<std::string> made;
    for (const auto& id : store.ids())
        try {
            bool of_this_boot = false;
            const auto record = store.open_container(id).read(&of_this_boot);
            if (of_this_boot) made.insert(record.made_parents.begin(), record.made_parents.end());
        } catch (const Error&) {
            // One that is being made or deleted; who is below still keeps its parents from going.
        }
    return made;
}

}  // namespace

std::vector<std::string> own_parents(const cgroup::Host& host, const cgroup::Placement& placement,
                                     const ContainerStore& store) {
    const auto others = made_for_others(store);
    std::set<std::string> mounts{host.identity_mount()};
    for (const auto& [controller, mount] : host.v1)
        mounts.insert(mount);
    std::vector<std::string> missing;
    for (const auto& mount : mounts) {
        const auto& path = mount == host.identity_mount() ? placement.path : placement.in(mount);
        for (auto end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1))
            if (auto folder = mount + path.substr(0, end);
                others.contains(folder) || !sys::open_dir(folder))
                missing.push_back(std::move(folder));
    }
    return missing;
}

void remove_parents(const std::vector<std::string>& folders) noexcept {
    // cgroupfs refuses to remove what is in use.
    std::for_each(folders.rbegin(), folders.rend(), [](const auto& folder) {
        const auto slash = folder.rfind('/');
        if (const auto above = sys::open_dir(folder.substr(0, slash)))
            (void)sys::rmdir_at(above.value(), folder.substr(slash + 1));
    });
}

}  // namespace covey::runtime
