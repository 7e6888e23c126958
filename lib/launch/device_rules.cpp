#include "launch/device_rules.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <cerrno>

#include <unistd.h>

namespace covey::launch {
namespace {

/// In the initial user namespace every id is itself (user_namespaces(7)).
bool is_root_of_host() {
    const auto map = sys::read_file("/proc/self/uid_map").or_throw("read", "/proc/self/uid_map");
    auto words = split(trim(map), ' ');
    std::erase(words, std::string_view{});
    constexpr std::string_view kAllIds = "4294967295";
    return ::geteuid() == 0 && words.size() == 3 && words[0] == "0" && words[1] == "0" &&
           words[2] == kAllIds;
}

}  // namespace

std::optional<std::string> apply_device_rules(cgroup::Group& group, const plan::LaunchPlan& plan) {
    try {
        group.restrict_devices(plan.device_rules);
        return std::nullopt;
    } catch (const Error& error) {
        const bool is_forbidden = error.errno_value() == EPERM || error.errno_value() == EACCES;
        if (!is_forbidden || is_root_of_host()) throw;
        return "linux.resources.devices is not applied: only root may, and without root a "
               "container has no devices but those its user may open anyway";
    }
}

}  // namespace covey::launch
