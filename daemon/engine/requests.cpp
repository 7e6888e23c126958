#include "engine/requests.hpp"

#include "base/id.hpp"

#include <fmt/format.h>

#include <tuple>

namespace covey::daemon {
bool same_request(const CreateSandboxAction& a, const CreateSandboxAction& b) {
    const auto plain = [](const CreateSandboxAction& x) {
        return std::tie(x.id, x.hostname, x.pid_mode, x.access, x.pid1_signals, x.sysctls,
                        x.cgroup_parent, x.labels, x.annotations);
    };
    return plain(a) == plain(b) && a.namespaces == b.namespaces;
}

bool same_request(const CreateContainerAction& a, const CreateContainerAction& b) {
    const auto plain = [](const CreateContainerAction& x) {
        return std::tie(x.id, x.sandbox, x.bundle, x.pid_mode, x.access, x.pid1_signals, x.target,
                        x.add_capabilities, x.drop_capabilities, x.stdio.in, x.stdio.out,
                        x.stdio.err, x.labels, x.seccomp, x.debug);
    };
    return plain(a) == plain(b);
}

void require_valid(const CreateSandboxAction& action) {
    require_valid_id(action.id, "sandbox id");
}

void require_valid(const CreateContainerAction& action) {
    require_valid_id(action.id, "container id");
}

void require(const ContainerEntry& container, core::ContainerEvent event) {
    if (core::allows(container.facts.state, event)) return;
    const auto state = core::state_name(container.facts.state);
    Error error(Code::failed_precondition,
                fmt::format("container '{}' is {}: {} is not allowed", container.request.id, state,
                            core::event_name(event)));
    if (container.facts.state == core::ContainerState::unknown)
        error = Error(Code::failed_precondition,
                      fmt::format("the state of container '{}' is unknown: {}",
                                  container.request.id, container.problem))
                    .with_fix(fmt::format("covey rm --force {} ends it", container.request.id));
    else if (container.facts.state == core::ContainerState::stopped)
        error.set_fix(fmt::format("a stopped container can only be deleted (covey rm {})",
                                  container.request.id));
    else if (event == core::ContainerEvent::remove)
        error.set_fix(
            fmt::format("stop it first (covey stop {0}), or delete it with force "
                        "(covey rm --force {0})",
                        container.request.id));
    else if (container.facts.state == core::ContainerState::paused)
        error.set_fix(fmt::format("resume it first (covey resume {})", container.request.id));
    else if (container.facts.state == core::ContainerState::created)
        error.set_fix(fmt::format("start it first (covey start {})", container.request.id));
    else
        error.set_fix("see its state with covey ps");
    throw Error(error);
}

void require_known(const SandboxEntry& sandbox) {
    if (sandbox.facts.state != core::SandboxState::unknown) return;
    const auto& id = sandbox.request.id;
    throw Error(Code::failed_precondition,
                fmt::format("the state of sandbox '{}' is unknown: {}", id, sandbox.problem))
        .with_fix(fmt::format("covey sandbox rm --force {} ends all of it", id));
}

void require_open(const SandboxEntry& sandbox) {
    require_known(sandbox);
    if (!sandbox.closing && sandbox.has_shim() && sandbox.facts.state == core::SandboxState::ready)
        return;
    const auto* why = sandbox.closing ? "being stopped" : "stopped";
    throw Error(Code::sandbox_gone, fmt::format("sandbox '{}' is {}", sandbox.request.id, why))
        .with_fix(fmt::format("delete it (covey sandbox rm --force {}) and create it again",
                              sandbox.request.id));
}

Error already_exists(const std::string& what, const std::string& id) {
    return Error(Code::already_exists,
                 fmt::format("{} '{}' is there already, made by a different request", what, id))
        .with_fix(fmt::format("choose another id, or delete {} '{}' first", what, id));
}

}  // namespace covey::daemon
