// Rules between objects of one configuration. A rule is silent when what it would judge was not
// understood: one mistake gives one problem.
#include "spec/parse.hpp"

#include <algorithm>

namespace covey::spec {
namespace {

const Namespace* find(const Linux& config, NamespaceType type) {
    const auto found = std::find_if(config.namespaces.begin(), config.namespaces.end(),
                                    [&](const Namespace& entry) { return entry.type == type; });
    return found == config.namespaces.end() ? nullptr : &*found;
}

/// user_namespaces(7): only a user namespace has mappings.
void check_user_namespace(const Linux& config, Collector& problems) {
    if (find(config, NamespaceType::user) != nullptr) return;
    constexpr const char* kMessage = "needs a namespace of type 'user' in /linux/namespaces";
    if (!config.uid_mappings.empty()) problems.add("/linux/uidMappings", kMessage);
    if (!config.gid_mappings.empty()) problems.add("/linux/gidMappings", kMessage);
}

/// time_namespaces(7): offsets are written once, before the first process is in the namespace.
void check_time_namespace(const Linux& config, Collector& problems) {
    if (config.time_offsets.empty()) return;
    const Namespace* const time = find(config, NamespaceType::time);
    if (time == nullptr) {
        problems.add("/linux/timeOffsets", "needs a namespace of type 'time' in /linux/namespaces");
    } else if (!time->path.empty()) {
        problems.add("/linux/timeOffsets", "cannot be changed in a time namespace that is joined");
    }
}

}  // namespace

void validate(const Spec& spec, Collector& problems) {
    if (!problems.clean("/linux/namespaces")) return;
    check_user_namespace(spec.linux, problems);
    check_time_namespace(spec.linux, problems);
}

}  // namespace covey::spec
