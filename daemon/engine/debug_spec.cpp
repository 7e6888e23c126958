// What a debugger's profile means, as a configuration.
#include "bundle/default_spec.hpp"
#include "engine/operations.hpp"

namespace covey::daemon {
namespace {

/// What kubectl's restricted profile leaves to the image: a user that is not root.
constexpr std::uint32_t kNobody = 65532;

}  // namespace

std::string debug_config(const DebugAction& action) {
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
    return bundle::default_spec(wish);
}

}  // namespace covey::daemon
