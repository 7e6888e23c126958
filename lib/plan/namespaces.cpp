// Namespaces and sysctls by the API's rule. There the sandbox decides: its net, ipc, uts (and time)
// replace the spec's entries, its user namespace is everybody's, the PID namespace follows the
// request, mount and cgroup are the container's own.
#include "plan/sections.hpp"
#include "spec/id_mappings.hpp"

#include <fmt/format.h>

namespace covey::plan {
namespace {

using Source = NamespacePlan::Source;
using Type = spec::NamespaceType;

void must_match(Sections& s, const spec::Namespace& entry) {
    s.plan.must_match_sandbox.push_back({entry.type, Source::path, entry.path});
}

/// mount and cgroup: new ones, whether the spec has them or not.
void own(Sections& s, Type type) {
    const auto [entry, pointer] = find_namespace(s.spec, type);
    if (entry != nullptr && !entry->path.empty())
        s.refuse(pointer + "/path", fmt::format("joining a {} namespace", info(type).oci_name));
    s.plan.namespaces.push_back({type, Source::create, {}});
}

void from_sandbox(Sections& s, Type type, bool sandbox_has_one) {
    const auto name = info(type).oci_name;
    const auto [entry, pointer] = find_namespace(s.spec, type);
    if (sandbox_has_one) {
        s.plan.namespaces.push_back({type, Source::sandbox, {}});
        if (entry == nullptr)
            s.warn(
                fmt::format("the spec asks for the host's {} namespace; the container gets the "
                            "sandbox's",
                            name));
    }
    if (entry == nullptr) return;
    if (!entry->path.empty())
        must_match(s, *entry);
    else if (!sandbox_has_one)
        s.warn(
            fmt::format("the spec asks for a {} namespace; the container gets the host's, as "
                        "its sandbox has",
                        name));
}

void pid_namespace(Sections& s) {
    const auto [entry, pointer] = find_namespace(s.spec, Type::pid);
    const auto mode = s.plan.pid_mode;
    if (entry != nullptr && !entry->path.empty()) {
        if (mode == spec::PidMode::pod)
            must_match(s, *entry);
        else
            s.problem(pointer + "/path",
                      fmt::format("a PID namespace to join contradicts pid mode '{}'; remove the "
                                  "path or use pid mode 'pod'",
                                  spec::pid_mode_name(mode)));
    }
    if (mode == spec::PidMode::node) return;
    if (entry == nullptr)
        s.warn(
            fmt::format("the spec asks for the host's pid namespace; the container gets pid mode "
                        "'{}'",
                        spec::pid_mode_name(mode)));
    // In mode nested the sandbox's is entered first, and the new one made inside it.
    const bool own = mode == spec::PidMode::container;
    s.plan.namespaces.push_back({Type::pid, own ? Source::create : Source::sandbox, {}});
}

void time_namespace(Sections& s) {
    const auto [entry, pointer] = find_namespace(s.spec, Type::time);
    if (s.request.sandbox.has_time) {
        s.plan.namespaces.push_back({Type::time, Source::sandbox, {}});
        if (entry != nullptr && !entry->path.empty()) must_match(s, *entry);
    } else if (entry != nullptr) {
        s.refuse(pointer, "a time namespace");
    }
}

void mappings(Sections& s, const char* name, const std::vector<spec::IdMapping>& asked,
              const std::vector<spec::IdMapping>& sandbox) {
    if (asked.empty() || spec::same_mappings(asked, sandbox)) return;
    auto pointer = fmt::format("/linux/{}", name);
    if (s.request.sandbox.has_user)
        s.problem(std::move(pointer),
                  fmt::format("are not the sandbox's, which are {}: a pod has one user namespace; "
                              "remove them",
                              spec::mappings_text(sandbox)));
    else
        s.problem(std::move(pointer), std::string{kMixture});
}

/// The sandbox's for all its containers, or none for any.
void user_namespace(Sections& s) {
    const auto& sandbox = s.request.sandbox;
    const auto [entry, pointer] = find_namespace(s.spec, Type::user);
    if (!sandbox.has_user && entry != nullptr) s.problem(pointer, std::string{kMixture});
    mappings(s, "uidMappings", s.spec.linux.uid_mappings, sandbox.uid_mappings);
    mappings(s, "gidMappings", s.spec.linux.gid_mappings, sandbox.gid_mappings);
    if (!sandbox.has_user) return;
    if (entry != nullptr && !entry->path.empty()) must_match(s, *entry);
    s.plan.namespaces.push_back({Type::user, Source::sandbox, {}});
    s.plan.uid_mappings = sandbox.uid_mappings;
    s.plan.gid_mappings = sandbox.gid_mappings;
}

void sysctls(Sections& s) {
    for (const auto& [key, value] : s.spec.linux.sysctl) {
        const auto type = sysctl_namespace(key);
        if (!type)
            s.problem(fmt::format("/linux/sysctl/{}", pointer_key(key)),
                      "belongs to no namespace: it would change the whole host; remove it");
        else
            s.warn(
                fmt::format("sysctl {} is not applied: the {} namespace is the sandbox's; set it "
                            "in the sandbox's sysctls",
                            key, info(*type).oci_name));
    }
}

void host_names(Sections& s) {
    if (!s.spec.hostname.empty())
        s.warn(
            fmt::format("hostname '{}' is not applied: the UTS namespace is the sandbox's; set "
                        "it in the sandbox's hostname",
                        s.spec.hostname));
    if (!s.spec.domainname.empty())
        s.warn(
            fmt::format("domainname '{}' is not applied: the UTS namespace is the sandbox's; set "
                        "kernel.domainname in the sandbox's sysctls",
                        s.spec.domainname));
}

}  // namespace

void compile_sandbox_namespaces(Sections& s) {
    const auto& sandbox = s.request.sandbox;
    user_namespace(s);
    own(s, Type::mount);
    from_sandbox(s, Type::network, sandbox.has_net);
    from_sandbox(s, Type::ipc, sandbox.has_ipc);
    from_sandbox(s, Type::uts, sandbox.has_uts);
    own(s, Type::cgroup);
    time_namespace(s);
    pid_namespace(s);

    host_names(s);
    sysctls(s);
}

}  // namespace covey::plan
