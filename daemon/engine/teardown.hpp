// How a sandbox ends: in order by its shim, or through its cgroup when the shim is dead or does not
// answer. Every step can be repeated, and is bounded in time.
// Used by the engine only, under the sandbox's lock. Thread rule: the io_context's one thread.
#pragma once

#include "engine/state.hpp"

namespace covey::daemon {

/// Kills what is in the group until it is empty, and removes it. Throws timeout when processes are
/// left after `limit`.
boost::asio::awaitable<void> clear_group(StatePtr state, std::string cgroup,
                                         std::chrono::milliseconds limit);

/// The shim is dead: its containers have ended, as it wrote down, else with 137 and "shim died".
void end_containers(EngineState& state, SandboxEntry& sandbox);

/// The shim is dead: kills what is left of the pod, and marks everything as stopped, with the exit
/// records that the shim has written, else 137 and "shim died". Leaves the state folder.
boost::asio::awaitable<void> bury(StatePtr state, SandboxPtr sandbox);

/// Kills every container, then pause. Idempotent. A shim that does not answer is killed.
boost::asio::awaitable<void> stop_pod(StatePtr state, SandboxPtr sandbox);

/// Ends the shim and removes all that the sandbox has on the host and on disk: for a stopped
/// sandbox and for one that never became complete. Publishes nothing. Throws timeout when processes
/// are left; then the state folder is, too.
boost::asio::awaitable<void> remove_pod(StatePtr state, SandboxPtr sandbox);

/// stop_pod, remove_pod, and the events of the containers' and the sandbox's end; takes them out of
/// the registry.
boost::asio::awaitable<void> delete_pod(StatePtr state, SandboxPtr sandbox);

/// Takes the container out of the registry and off the disk, and publishes its end.
void forget_container(EngineState& state, SandboxEntry& sandbox, const std::string& id);

}  // namespace covey::daemon
