// Namespaces, host names and sysctls by the rule of covey-runtime: linux.namespaces as it is
// written, and what acts on a namespace only where the spec has an entry of its type.
#include "plan/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace covey::plan {
namespace {

using Source = NamespacePlan::Source;
using Type = spec::NamespaceType;

bool has(const Sections& s, Type type) {
    return find_namespace(s.spec, type).entry != nullptr;
}

void spec_host_names(Sections& s) {
    const auto& spec = s.spec;
    // The words are runc's (libcontainer/configs/validate): engines' users search for them.
    const auto refuse = [&](const std::string& value, const char* name) {
        if (!value.empty() && !has(s, Type::uts))
            s.problem(fmt::format("/{}", name),
                      fmt::format("unable to set {} without a private UTS namespace; add "
                                  "{{\"type\": \"uts\"}} to linux.namespaces or remove it",
                                  name));
    };
    refuse(spec.hostname, "hostname");
    refuse(spec.domainname, "domainname");
    if (!spec.hostname.empty()) s.plan.hostname = spec.hostname;
    if (!spec.domainname.empty()) s.plan.domainname = spec.domainname;
}

std::string sysctl_refusal(const Sections& s, const std::string& key) {
    const auto type = sysctl_namespace(key);
    if (!type)
        return fmt::format(
            "sysctl \"{}\" is not in a separate kernel namespace: it would change the whole host; "
            "remove it",
            key);
    if (key == "kernel.hostname" || key == "kernel/hostname")
        return fmt::format(
            "sysctl \"{}\" is not allowed as it conflicts with the OCI \"hostname\" field; use "
            "that",
            key);
    if (has(s, *type)) return {};
    return fmt::format(
        "sysctl \"{}\" is not allowed in the hosts {} namespace; add {{\"type\": \"{}\"}} to "
        "linux.namespaces or remove it",
        key, info(*type).oci_name, info(*type).oci_name);
}

void spec_sysctls(Sections& s) {
    for (const auto& [key, value] : s.spec.linux.sysctl) {
        if (auto refusal = sysctl_refusal(s, key); !refusal.empty())
            s.problem(fmt::format("/linux/sysctl/{}", pointer_key(key)), std::move(refusal));
        else
            s.plan.sysctls.emplace_back(key, value);
    }
}

/// A root filesystem of its own needs a mount namespace: chroot(2) alone is no wall, and every
/// mount would be the host's.
void mount_namespace(Sections& s) {
    if (has(s, Type::mount)) return;
    s.problem("/linux/namespaces",
              "unable to set up the root filesystem, mounts, masked and read-only paths without a "
              "private MNT namespace; add {\"type\": \"mount\"}");
}

void net_devices(Sections& s) {
    if (s.spec.linux.net_devices.empty() || has(s, Type::network)) return;
    s.problem("/linux/netDevices",
              "unable to move network devices without a private NET namespace; add {\"type\": "
              "\"network\"} to linux.namespaces or remove them");
}

void spec_user_namespace(Sections& s) {
    const auto [entry, pointer] = find_namespace(s.spec, Type::user);
    if (entry == nullptr) return;
    const auto& config = s.spec.linux;
    const auto required = [&](const auto& list, const char* name) {
        if (list.empty() && entry->path.empty())
            s.problem(fmt::format("/linux/{}", name),
                      "required: a new user namespace without it has no ids at all; add "
                      "{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}");
    };
    required(config.uid_mappings, "uidMappings");
    required(config.gid_mappings, "gidMappings");
    s.plan.uid_mappings = config.uid_mappings;
    s.plan.gid_mappings = config.gid_mappings;
}

void time_offsets(Sections& s) {
    for (const auto& [clock, offset] : s.spec.linux.time_offsets)
        s.plan.time_offsets.push_back({clock, offset.secs, offset.nanosecs});
}

}  // namespace

bool has_user_namespace(const Sections& s) {
    return s.request.namespaces == NamespaceRule::spec ? has(s, Type::user)
                                                       : s.request.sandbox.has_user;
}

NamespaceEntry find_namespace(const spec::Spec& spec, Type type) {
    const auto& list = spec.linux.namespaces;
    for (std::size_t i = 0; i < list.size(); ++i)
        if (list[i].type == type) return {&list[i], fmt::format("/linux/namespaces/{}", i)};
    return {};
}

std::optional<Type> sysctl_namespace(std::string key) {
    // ipc_namespaces(7) and uts_namespaces(7); the kernel's ipc/ipc_sysctl.c has the same list.
    static constexpr std::array<std::string_view, 8> kIpc{
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
        "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};
    // sysctl(8) takes both separators; the first one in the key decides.
    if (const auto first = key.find_first_of("./"); first != key.npos && key[first] == '/')
        std::replace(key.begin(), key.end(), '/', '.');
    if (key.starts_with("net.")) return Type::network;
    if (key.starts_with("fs.mqueue.")) return Type::ipc;
    if (std::find(kIpc.begin(), kIpc.end(), key) != kIpc.end()) return Type::ipc;
    if (key == "kernel.hostname" || key == "kernel.domainname") return Type::uts;
    return std::nullopt;
}

void compile_spec_namespaces(Sections& s) {
    mount_namespace(s);
    net_devices(s);
    spec_user_namespace(s);
    for (const auto& entry : s.spec.linux.namespaces)
        s.plan.namespaces.push_back(
            {entry.type, entry.path.empty() ? Source::create : Source::path, entry.path});
    time_offsets(s);
    spec_host_names(s);
    spec_sysctls(s);
}

}  // namespace covey::plan
