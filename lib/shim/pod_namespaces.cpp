#include "shim/pod_namespaces.hpp"

#include "covey/error.hpp"
#include "launch/sysctl.hpp"
#include "launch/user_namespace.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/namespaces.hpp"

#include <fmt/format.h>

#include <fcntl.h>

namespace covey::shim {
namespace {

using Kind = core::NamespaceWish::Kind;

UniqueFd open_wished(const core::NamespaceWish& wish, const PodNamespaceType& type) {
    auto file = sys::open(wish.path, O_RDONLY);
    if (!file)
        throw Error::from_errno(file.error(), fmt::format("open {} namespace", type.name),
                                wish.path)
            .with_fix("name an nsfs file, e.g. /proc/<pid>/ns/net or a bind mount of one");
    if (sys::namespace_type(file.value()).value_or(0) != type.flag)
        throw Error(Code::invalid_argument,
                    fmt::format("{} is not a {} namespace", wish.path, type.name))
            .with_fix(fmt::format("name a file such as /proc/<pid>/ns/{}", type.name));
    return std::move(file).value();
}

/// A pod sets parameters of its own namespaces, never the host's.
void check_sysctls(const core::SandboxConfig& config) {
    for (const auto& [key, value] : config.sysctls) {
        const auto owner = launch::sysctl_namespace(key);
        if (owner.empty())
            throw Error(Code::invalid_argument,
                        fmt::format("sysctl {} belongs to no namespace of a pod", key))
                .with_fix("it would change the whole host: set it there, with sysctl(8)");
        for (const auto& type : kPodNamespaceTypes)
            if (owner == type.name && wish_for(config, type).kind == Kind::host)
                throw Error(Code::invalid_argument,
                            fmt::format("sysctl {} would change the host: the pod shares its {} "
                                        "namespace",
                                        key, owner))
                    .with_fix(
                        fmt::format("leave it out, or give the pod a new {} namespace", owner));
    }
}

/// The pod's, as a descriptor; invalid: it is in the host's.
UniqueFd user_namespace_for(const core::SandboxConfig& config) {
    const auto found = config.namespaces.find("user");
    if (found == config.namespaces.end() || found->second.kind == Kind::host) return {};
    const auto& wish = found->second;
    if (wish.kind == Kind::create)
        return launch::make_user_namespace(wish.uid_mappings, wish.gid_mappings);
    auto file = open_wished(wish, {"user", CLONE_NEWUSER, false});
    const auto own = sys::open("/proc/self/ns/user", O_RDONLY).or_throw("open", "own namespace");
    const auto theirs = sys::namespace_id(file).or_throw("stat", wish.path);
    if (theirs == sys::namespace_id(own).or_throw("stat", "own namespace"))
        throw Error(Code::invalid_argument, wish.path + " is the host's user namespace")
            .with_fix("leave namespaces.user out");
    return file;
}

[[noreturn]] void refuse_mixture(const std::string& what) {
    throw Error(Code::invalid_argument,
                what + ": a pod is wholly inside its user namespace or wholly outside")
        .with_fix(
            "let the pod have a new one, or name one that was made in the user namespace, "
            "together with that one's path as namespaces.user");
}

/// Capabilities in the user namespace count for what belongs to it alone.
void require_inside(FdRef user, FdRef file, const core::NamespaceWish& wish, const char* type) {
    const auto owner = sys::owning_user_namespace(file);
    if (owner && sys::namespace_id(owner.value()).or_throw("stat", wish.path) ==
                     sys::namespace_id(user).or_throw("stat", "user namespace"))
        return;
    refuse_mixture(fmt::format("{} namespace {} does not belong to the sandbox's user namespace",
                               type, wish.path));
}

}  // namespace

const std::array<PodNamespaceType, 5> kPodNamespaceTypes{{
    {"net", CLONE_NEWNET, true},
    {"ipc", CLONE_NEWIPC, true},
    {"uts", CLONE_NEWUTS, true},
    {"user", CLONE_NEWUSER, false},
    {"time", CLONE_NEWTIME, false},
}};

core::NamespaceWish wish_for(const core::SandboxConfig& config, const PodNamespaceType& type) {
    const auto found = config.namespaces.find(type.name);
    if (found != config.namespaces.end()) return found->second;
    return {type.by_default ? Kind::create : Kind::host, {}};
}

OpenedNamespaces open_namespaces(const core::SandboxConfig& config, launch::SandboxSetup& setup) {
    check_sysctls(config);
    OpenedNamespaces opened;
    opened.user = user_namespace_for(config);
    setup.user = opened.user;
    for (const auto& type : kPodNamespaceTypes) {
        if (type.flag == CLONE_NEWUSER) continue;
        const auto wish = wish_for(config, type);
        if (opened.user && wish.kind == Kind::host && type.by_default)
            refuse_mixture(fmt::format("the host's {} namespace", type.name));
        if (wish.kind == Kind::create) opened.new_ones |= type.flag;
        if (wish.kind == Kind::path) {
            const auto& file = opened.joined.emplace_back(open_wished(wish, type));
            if (opened.user) require_inside(opened.user, file, wish, type.name);
            setup.join.emplace_back(file, type.flag);
        }
        if (type.flag == CLONE_NEWNET) setup.own_net = wish.kind == Kind::create;
        if (type.flag == CLONE_NEWUTS) setup.own_uts = wish.kind == Kind::create;
    }
    return opened;
}

}  // namespace covey::shim
