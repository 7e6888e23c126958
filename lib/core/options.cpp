#include "covey/options.hpp"

#include "base/id.hpp"
#include "base/text.hpp"
#include "core/sandbox_state.hpp"
#include "spec/id_mappings.hpp"

#include <algorithm>
#include <array>

namespace covey::core {
namespace {

constexpr std::array<std::string_view, 5> kNamespaceKeys{"net", "ipc", "uts", "user", "time"};

NamespaceWish wish_of(const std::string& type, const std::string& value) {
    if (std::find(kNamespaceKeys.begin(), kNamespaceKeys.end(), type) == kNamespaceKeys.end())
        throw Error(Code::invalid_argument,
                    "namespaces: unknown type '" + type + "'" + did_you_mean(type, kNamespaceKeys))
            .with_fix("the types are net, ipc, uts, user and time");
    if (value == "new") return {NamespaceWish::Kind::create, ""};
    if (value == "host") return {NamespaceWish::Kind::host, ""};
    if (value.starts_with('/')) return {NamespaceWish::Kind::path, value};
    throw Error(Code::invalid_argument, "namespaces: '" + value + "' for " + type +
                                            " is not new, host or an absolute path");
}

std::vector<spec::IdMapping> mappings_of(const std::vector<IdMapping>& maps,
                                         const std::string& option) {
    std::vector<spec::IdMapping> result;
    for (const auto& map : maps)
        result.push_back({map.container_id, map.host_id, map.size});
    if (const auto fault = spec::pod_mappings_fault(result))
        throw Error(Code::invalid_argument, option + " " + *fault);
    return result;
}

/// A new one has the ids that it is given, any other has them already.
void read_mappings(SandboxConfig& config, const SandboxOptions& options) {
    const auto user = config.namespaces.find("user");
    const bool creates =
        user != config.namespaces.end() && user->second.kind == NamespaceWish::Kind::create;
    if (!creates && options.uid_mappings.empty() && options.gid_mappings.empty()) return;
    if (!creates)
        throw Error(Code::invalid_argument, "uid_mappings without a new user namespace")
            .with_fix("say namespaces[\"user\"] = \"new\"");
    user->second.uid_mappings = mappings_of(options.uid_mappings, "uid_mappings");
    user->second.gid_mappings = mappings_of(options.gid_mappings, "gid_mappings");
}

std::uint64_t capability_mask(const std::vector<std::string>& names, std::string_view option) {
    std::uint64_t mask = 0;
    for (const auto& name : names) {
        const auto number = spec::capability_number(name);
        if (!number) {
            auto full = to_upper(name);
            if (!full.starts_with("CAP_")) full.insert(0, "CAP_");
            throw Error(Code::invalid_argument, std::string{option} + ": unknown capability '" +
                                                    name + "'" +
                                                    did_you_mean(full, spec::capability_names()));
        }
        mask |= std::uint64_t{1} << static_cast<unsigned>(*number);
    }
    return mask;
}

spec::PidMode mode_of(PidMode mode) {
    switch (mode) {
        case PidMode::pod:
            return spec::PidMode::pod;
        case PidMode::nested:
            return spec::PidMode::nested;
        case PidMode::target:
            return spec::PidMode::target;
        case PidMode::container:
            return spec::PidMode::container;
        case PidMode::node:
            return spec::PidMode::node;
    }
    throw Error(Code::invalid_argument, "pid_mode: not one of the enumeration's values");
}

}  // namespace

SandboxConfig sandbox_config(std::string_view id, const SandboxOptions& options) {
    require_valid_id(id, "sandbox id");
    SandboxConfig config;
    config.id = std::string{id};
    config.hostname = options.hostname;
    for (const auto& [type, value] : options.namespaces)
        config.namespaces.emplace(type, wish_of(type, value));
    read_mappings(config, options);
    config.sysctls = options.sysctls;
    if (!options.cgroup_parent.starts_with('/'))
        throw Error(Code::invalid_argument,
                    "cgroup_parent '" + options.cgroup_parent + "' does not begin with /");
    config.cgroup_parent = options.cgroup_parent;
    return config;
}

ContainerConfig container_config(std::string_view id, const std::string& bundle,
                                 const ContainerOptions& options) {
    require_valid_id(id, "container id");
    if (!bundle.starts_with('/'))
        throw Error(Code::invalid_argument, "bundle '" + bundle + "' is not an absolute path")
            .with_fix("name the folder that holds config.json, from / on");
    ContainerConfig config;
    config.id = std::string{id};
    config.bundle = bundle;
    config.pid_mode = mode_of(options.pid_mode);
    config.target = options.target;
    config.view = options.view;
    config.holds = options.holds;
    const auto access = spec::access_preset(options.access);
    if (!access)
        throw Error(Code::invalid_argument, "unknown access '" + options.access + "'" +
                                                did_you_mean(options.access, spec::kAccessPresets))
            .with_fix("use open, private or observer");
    config.access = *access;
    config.add_capabilities = capability_mask(options.add_capabilities, "add_capabilities");
    config.drop_capabilities = capability_mask(options.drop_capabilities, "drop_capabilities");
    config.stdio = {options.stdin_, options.stdout_, options.stderr_};
    return config;
}

ExecConfig exec_config(const std::string& container, const ExecOptions& options) {
    if (options.args.empty())
        throw Error(Code::invalid_argument, "exec: args is empty")
            .with_fix("name the program to run as the first argument");
    ExecConfig config;
    config.container = container;
    config.exec = random_id();
    config.args = options.args;
    config.env = options.env;
    config.uid = options.uid;
    config.gid = options.gid;
    config.cwd = options.cwd;
    return config;
}

}  // namespace covey::core
