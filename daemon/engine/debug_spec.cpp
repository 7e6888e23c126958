// What a debugger's profile means, as a configuration.
#include "bundle/default_spec.hpp"
#include "bundle/seccomp_profile.hpp"
#include "engine/operations.hpp"

namespace covey::daemon {
namespace {

/// What kubectl's restricted profile leaves to the image: a user that is not root.
constexpr std::uint32_t kNobody = 65532;

std::vector<std::string> all_of(std::vector<std::string> names,
                                const std::vector<std::string>& added, std::uint64_t dropped) {
    names.insert(names.end(), added.begin(), added.end());
    for (const auto& name : spec::capability_names_of(dropped))
        std::erase(names, name);
    return names;
}

}  // namespace

std::string debug_config(const DebugAction& action, std::uint64_t added) {
    bundle::SpecWish wish;
    wish.rootfs = action.tools;
    wish.read_only = true;  // the tools may be everybody's
    wish.mounts = {{"tmpfs", "tmpfs", "/tmp", {"nosuid", "nodev", "mode=1777", "size=65536k"}}};
    wish.args = action.command;
    if (action.command.empty())
        wish.args = {"/covey-hold"};  // only its name: the shim executes its own
    wish.env = action.env;
    const bool is_restricted = action.profile == DebugProfile::restricted;
    wish.uid = action.uid.value_or(is_restricted ? kNobody : 0);
    wish.gid = action.gid.value_or(is_restricted ? kNobody : 0);
    if (is_restricted) {
        wish.capabilities.clear();
        wish.no_new_privileges = true;
    }
    wish.seccomp = bundle::resolve_seccomp(
        bundle::default_profile(),
        all_of(wish.capabilities, spec::capability_names_of(added), action.drop_capabilities),
        "the default profile");
    return bundle::default_spec(wish);
}

}  // namespace covey::daemon
