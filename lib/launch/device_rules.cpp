#include "launch/device_rules.hpp"

#include "covey/error.hpp"
#include "sys/namespaces.hpp"

#include <cerrno>

#include <unistd.h>

namespace covey::launch {
std::optional<std::string> apply_device_rules(cgroup::Group& group, const plan::LaunchPlan& plan,
                                              cgroup::DeviceRulesIn in) {
    try {
        group.restrict_devices(plan.device_rules, in);
        return std::nullopt;
    } catch (const Error& error) {
        const bool is_root_of_host = ::geteuid() == 0 && sys::in_initial_user_namespace();
        const bool is_forbidden = error.errno_value() == EPERM || error.errno_value() == EACCES;
        if (!is_forbidden || is_root_of_host) throw;
        return "linux.resources.devices is not applied: only root may, and without root a "
               "container has no devices but those its user may open anyway";
    }
}

}  // namespace covey::launch
