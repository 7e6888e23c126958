// What may happen to a sandbox and to a container, and when: one table for each machine, from which
// the next state, the predicates and the error texts are all read. Used by the shim and by coveyd.
// States are OCI's words for containers and CRI's for sandboxes.
// Thread rule: constant data, pure functions.
#pragma once

#include "core/messages.hpp"

#include <span>
#include <string_view>

namespace covey::core {

enum class SandboxEvent { made, failed, add, stop, gone, remove };
enum class ContainerEvent {
    made,
    failed,
    start,
    kill,
    exec,
    pause,
    resume,
    update,
    resize,
    exited,
    remove
};
[[nodiscard]] std::string_view event_name(SandboxEvent event) noexcept;
[[nodiscard]] std::string_view event_name(ContainerEvent event) noexcept;

struct SandboxTransition {
    SandboxState from;
    SandboxEvent event;
    SandboxState to;
};
struct ContainerTransition {
    ContainerState from;
    ContainerEvent event;
    ContainerState to;
};
[[nodiscard]] std::span<const SandboxTransition> sandbox_transitions() noexcept;
[[nodiscard]] std::span<const ContainerTransition> container_transitions() noexcept;

/// Throws Code::failed_precondition naming the state, the event and what is allowed in that state.
[[nodiscard]] SandboxState next(SandboxState state, SandboxEvent event);
[[nodiscard]] ContainerState next(ContainerState state, ContainerEvent event);

[[nodiscard]] bool allows(SandboxState state, SandboxEvent event) noexcept;
[[nodiscard]] bool allows(ContainerState state, ContainerEvent event) noexcept;
[[nodiscard]] inline bool can_start(ContainerState state) noexcept {
    return allows(state, ContainerEvent::start);
}
[[nodiscard]] inline bool can_kill(ContainerState state) noexcept {
    return allows(state, ContainerEvent::kill);
}
[[nodiscard]] inline bool can_exec(ContainerState state) noexcept {
    return allows(state, ContainerEvent::exec);
}
[[nodiscard]] inline bool can_pause(ContainerState state) noexcept {
    return allows(state, ContainerEvent::pause);
}
[[nodiscard]] inline bool can_resume(ContainerState state) noexcept {
    return allows(state, ContainerEvent::resume);
}
[[nodiscard]] inline bool can_update(ContainerState state) noexcept {
    return allows(state, ContainerEvent::update);
}
/// It runs, if only after a resume.
[[nodiscard]] inline bool has_started(ContainerState state) noexcept {
    return state == ContainerState::running || state == ContainerState::paused;
}
/// Without force.
[[nodiscard]] inline bool can_delete(ContainerState state) noexcept {
    return allows(state, ContainerEvent::remove);
}

}  // namespace covey::core
