// Every field of the specification that Covey does not act on, in one place. What is not acted on
// is refused by name, never ignored. (Resources are in resources.cpp, namespaces in
// namespaces.cpp.)
#include "plan/sections.hpp"

#include <fmt/format.h>

namespace covey::plan {
namespace {

void refuse_hooks(Sections& s) {
    const auto& hooks = s.spec.hooks;
    const auto refuse = [&](const std::vector<spec::Hook>& list, std::string_view name) {
        if (!list.empty()) s.refuse(fmt::format("/hooks/{}", name), "a hook");
    };
    refuse(hooks.prestart, "prestart");
    refuse(hooks.create_runtime, "createRuntime");
    refuse(hooks.create_container, "createContainer");
    refuse(hooks.start_container, "startContainer");
    refuse(hooks.poststart, "poststart");
    refuse(hooks.poststop, "poststop");
}

/// In the API the sandbox decides these namespaces, for all its containers.
void refuse_namespace_fields(Sections& s, const spec::Linux& linux_part) {
    if (!linux_part.time_offsets.empty())
        s.refuse("/linux/timeOffsets", "a time namespace's offset");
}

}  // namespace

void refuse_unsupported(Sections& s) {
    if (s.request.namespaces == NamespaceRule::sandbox) {
        // The API has no place for hooks: they would run with the daemon's privileges.
        refuse_hooks(s);
        refuse_namespace_fields(s, s.spec.linux);
        if (s.spec.linux.intel_rdt) s.refuse("/linux/intelRdt", "Intel RDT");
        // They would be the whole pod's.
        if (!s.spec.linux.net_devices.empty())
            s.refuse("/linux/netDevices", "a network device of the host's");
    }
}

}  // namespace covey::plan
