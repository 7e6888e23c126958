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

void refuse_process_fields(Sections& s, const spec::Process& process) {
    if (!process.apparmor_profile.empty())
        s.refuse("/process/apparmorProfile", "an AppArmor profile");
    if (!process.selinux_label.empty()) s.refuse("/process/selinuxLabel", "an SELinux label");
    if (process.scheduler) s.refuse("/process/scheduler", "a scheduler");
    if (process.io_priority) s.refuse("/process/ioPriority", "an I/O priority");
    if (process.exec_cpu_affinity) s.refuse("/process/execCPUAffinity", "a CPU affinity");
}

void refuse_linux_fields(Sections& s, const spec::Linux& linux_part) {
    // Without its namespace the specification refuses a mapping already.
    if (s.request.namespaces == NamespaceRule::sandbox) {
        if (!linux_part.uid_mappings.empty())
            s.refuse("/linux/uidMappings", "a user namespace's mapping");
        if (!linux_part.gid_mappings.empty())
            s.refuse("/linux/gidMappings", "a user namespace's mapping");
    }
    if (!linux_part.time_offsets.empty())
        s.refuse("/linux/timeOffsets", "a time namespace's offset");
    if (!linux_part.mount_label.empty()) s.refuse("/linux/mountLabel", "an SELinux label");
    if (linux_part.personality) s.refuse("/linux/personality", "a personality");
    if (linux_part.intel_rdt) s.refuse("/linux/intelRdt", "Intel RDT");
}

}  // namespace

void refuse_unsupported(Sections& s) {
    // The API has no place for them: their programs would run with the daemon's privileges.
    if (s.request.namespaces == NamespaceRule::sandbox) refuse_hooks(s);
    if (s.spec.process) refuse_process_fields(s, *s.spec.process);
    refuse_linux_fields(s, s.spec.linux);
    for (std::size_t i = 0; i < s.spec.mounts.size(); ++i) {
        const auto& mount = s.spec.mounts[i];
        if (!mount.uid_mappings.empty())
            s.refuse(fmt::format("/mounts/{}/uidMappings", i), "an id-mapped mount");
        if (!mount.gid_mappings.empty())
            s.refuse(fmt::format("/mounts/{}/gidMappings", i), "an id-mapped mount");
    }
}

}  // namespace covey::plan
