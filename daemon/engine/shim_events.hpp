// What the engine does when a shim speaks unasked, or is gone.
// Used by the engine only. Thread rule: the io_context's one thread.
#pragma once

#include "engine/state.hpp"

namespace covey::daemon {

/// Takes the connection over: from now on the sandbox's events are heard.
void attach_link(const StatePtr& state, const SandboxPtr& sandbox, UniqueFd connection);

/// Each is idempotent: only the first report of an end becomes an event.
void container_exited(EngineState& state, ContainerEntry& container, const core::ExitRecord& exit);
/// Publishes it, if it is news: both facts are of one that has started, and only one is paused.
void container_paused_or_resumed(EngineState& state, ContainerEntry& container,
                                 core::ContainerFacts facts);
/// The start, pause or resume of a killed daemon, carried out after its successor had asked for the
/// status.
void container_started(EngineState& state, SandboxEntry& sandbox, core::ContainerFacts facts);
void sandbox_stopped(EngineState& state, SandboxEntry& sandbox);
/// After an answer that may already tell the end: publishes `type` with the state before it, then
/// the end.
void take_facts(EngineState& state, ContainerEntry& container, core::ContainerFacts facts,
                core::ContainerState reached, const std::string& type);

/// An exec of the container is gone; if it was the last one, a debugger that holds has no work
/// left.
void exec_ended(const SandboxEntry& sandbox, ContainerEntry& container);

}  // namespace covey::daemon
