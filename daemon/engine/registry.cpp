#include "engine/registry.hpp"

#include "spec/id_mappings.hpp"

#include <fmt/format.h>

namespace covey::daemon {
namespace {

constexpr std::size_t kMostNamed = 8;

template <typename Map>
std::string known_ids(const Map& entries) {
    std::string text;
    std::size_t named = 0, complete = 0;
    for (const auto& [id, entry] : entries) {
        if (!entry->complete) continue;
        if (++complete > kMostNamed) continue;
        text += (named++ == 0 ? "" : ", ") + id;
    }
    if (complete == 0) return "there is none";
    if (complete > named) text += fmt::format(" and {} more", complete - named);
    return "there are: " + text;
}

/// With ids that the engine chose.
bool has_own_block(const CreateSandboxAction& request) {
    const auto user = request.namespaces.find("user");
    return user != request.namespaces.end() &&
           user->second.kind == core::NamespaceWish::Kind::create &&
           user->second.uid_mappings.empty();
}

/// Ids that a request named, itself or by a namespace's path, may be another sandbox's too.
void warn_of_shared_ids(SandboxView& view,
                        const std::map<std::string, std::shared_ptr<SandboxEntry>>& sandboxes) {
    if (view.facts.uid_mappings.empty()) return;
    const bool has_block = has_own_block(view.request);
    for (const auto& [id, other] : sandboxes)
        if (id != view.facts.id && other->complete && !other->facts.uid_mappings.empty() &&
            !(has_block && has_own_block(other->request)) &&
            (spec::share_host_ids(view.facts.uid_mappings, other->facts.uid_mappings) ||
             spec::share_host_ids(view.facts.gid_mappings, other->facts.gid_mappings)))
            view.facts.warnings.push_back(fmt::format(
                "sandbox '{}' has some of the same host ids: files and limits of the one are the "
                "other's too",
                id));
}

}  // namespace

std::string SandboxEntry::cgroup() const {
    if (!facts.cgroup.empty() || !problem.empty()) return facts.cgroup;
    const auto& parent = request.cgroup_parent;
    return fmt::format("{}/{}.pod", parent == "/" ? "" : parent, request.id);
}

std::shared_ptr<SandboxEntry> Registry::find_sandbox(const std::string& id) const {
    const auto at = sandboxes.find(id);
    return at == sandboxes.end() ? nullptr : at->second;
}

std::shared_ptr<ContainerEntry> Registry::find_container(const std::string& id) const {
    const auto at = containers.find(id);
    return at == containers.end() ? nullptr : at->second;
}

std::shared_ptr<SandboxEntry> Registry::sandbox(const std::string& id) const {
    auto entry = find_sandbox(id);
    if (entry && entry->complete) return entry;
    throw Error(Code::not_found, fmt::format("no sandbox '{}'; {}", id, known_ids(sandboxes)))
        .with_fix("covey sandbox ls");
}

std::shared_ptr<ContainerEntry> Registry::container(const std::string& id) const {
    auto entry = find_container(id);
    if (entry && entry->complete) return entry;
    throw Error(Code::not_found, fmt::format("no container '{}'; {}", id, known_ids(containers)))
        .with_fix("covey ps");
}

SandboxView Registry::view(const SandboxEntry& sandbox) const {
    SandboxView view{sandbox.facts, sandbox.request, {}, sandbox.resource_version, sandbox.problem};
    if (sandbox.unwritten) view.facts.record_stale = true;
    warn_of_shared_ids(view, sandboxes);
    for (const auto& id : sandbox.containers)
        if (const auto entry = find_container(id); entry && entry->complete)
            view.containers.push_back(id);
    return view;
}

ContainerView Registry::view(const ContainerEntry& container) {
    ContainerView view{container.facts, container.request, container.resource_version,
                       container.problem};
    if (container.unwritten) view.facts.record_stale = true;
    return view;
}

}  // namespace covey::daemon
