// What access means for a plan: which capabilities it does not go with, and what its /proc hides.
// (The Landlock domain is the launcher's: launch/access.hpp.)
#include "covey/error.hpp"
#include "plan/sections.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include <linux/capability.h>

namespace covey::plan {
namespace {

/// Both measure the memory of processes that they may not inspect (perf_event_open(2) with a CPU
/// instead of a process; /proc/PID/environ and maps, perfmon_capable() in the kernel's source), and
/// CAP_SYS_ADMIN mounts a /proc that hides nothing.
constexpr std::array kTooMuch{CAP_SYS_ADMIN, CAP_PERFMON};

Error too_much(int number, std::string_view what) {
    return Error(Code::invalid_argument,
                 fmt::format("restricted access cannot be kept with {}: it {}",
                             spec::capability_name(number), what))
        .with_fix("drop the capability, or use access open");
}

}  // namespace

bool has_neighbours(const Sections& s) {
    const auto mode =
        s.request.namespaces == NamespaceRule::spec ? s.plan.pid_mode : s.request.pid_mode;
    return mode != spec::PidMode::nested && mode != spec::PidMode::container;
}

void check_access_capabilities(const Sections& s, const CapabilitySets& sets) {
    if (!s.request.access.is_restricted()) return;
    const auto has = [&](int number) {
        return ((sets.bounding | sets.permitted) >> static_cast<unsigned>(number) & 1U) != 0;
    };
    for (const int number : kTooMuch)
        if (has(number))
            throw too_much(number,
                           "reads other processes' memory in ways that no domain holds back");
    // reboot(2) kills the first process of the caller's PID namespace: the pod's.
    if (has_neighbours(s) && has(CAP_SYS_BOOT))
        throw too_much(CAP_SYS_BOOT, "ends the pod by reboot(2)");
}

std::vector<std::pair<std::string, std::string>> proc_options(
    const spec::Access& access, std::vector<std::pair<std::string, std::string>> options) {
    if (access.see == spec::Reach::pod) return options;
    // proc(5): `gid` names who is exempt from a weaker hidepid.
    std::erase_if(options, [](const auto& option) {
        return option.first == "hidepid" || option.first == "gid";
    });
    options.emplace_back("hidepid", "ptraceable");
    return options;
}

}  // namespace covey::plan
