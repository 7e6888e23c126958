#include "cgroup/unmounted.hpp"

#include "base/text.hpp"
#include "cgroup/cgroup.hpp"

#include <algorithm>

namespace covey::cgroup {

std::vector<std::string> unmounted_hierarchies(const Host& host, std::string_view own_cgroups) {
    std::vector<std::string> missing;
    for (const auto line : split(own_cgroups, '\n')) {
        const auto first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) continue;
        const auto controllers = line.substr(first + 1, second - first - 1);
        if (controllers.empty()) continue;  // v2's
        const auto names = split(controllers, ',');
        const bool is_mounted = std::any_of(names.begin(), names.end(), [&](const auto name) {
            return host.v1.contains(std::string{name});
        });
        if (!is_mounted) missing.emplace_back(controllers);
    }
    return missing;
}

}  // namespace covey::cgroup
