// The operations behind Engine's public functions, each a coroutine that runs to its end, and what
// they share. Used by the engine only. Thread rule: the io_context's one thread.
#pragma once

#include "engine/state.hpp"

namespace covey::daemon {

boost::asio::awaitable<Created<SandboxView>> create_sandbox(StatePtr state,
                                                            CreateSandboxAction action);
boost::asio::awaitable<SandboxView> stop_sandbox(StatePtr state, std::string id);
boost::asio::awaitable<void> delete_sandbox(StatePtr state, std::string id, bool force);

/// `own_config`: config.json of a bundle that is the container's state folder.
boost::asio::awaitable<Created<ContainerView>> create_container(StatePtr state,
                                                                CreateContainerAction action,
                                                                std::string own_config = {});
boost::asio::awaitable<ContainerView> debug(StatePtr state, DebugAction action);
/// Removes the debugger when its time or its work is over; a coroutine of its own, until then.
void watch_debugger(const StatePtr& state, const ContainerPtr& container);
/// config.json of the debugger's container, which gets `added` capabilities besides.
[[nodiscard]] std::string debug_config(const DebugAction& action, std::uint64_t added);
boost::asio::awaitable<ContainerView> start_container(StatePtr state, std::string id);
boost::asio::awaitable<void> kill_container(StatePtr state, KillAction action);
boost::asio::awaitable<ContainerView> pause_container(StatePtr state, std::string id);
boost::asio::awaitable<ContainerView> resume_container(StatePtr state, std::string id);
boost::asio::awaitable<void> update_container(StatePtr state, UpdateAction action);
boost::asio::awaitable<void> resize_container(StatePtr state, ResizeAction action);
/// So that it hears the signal that was sent to it. False: it goes on standing still.
boost::asio::awaitable<bool> resume_to_stop(StatePtr state, SandboxPtr sandbox,
                                            ContainerPtr container);
boost::asio::awaitable<ContainerView> stop_container(StatePtr state, StopContainerAction action);
boost::asio::awaitable<void> delete_container(StatePtr state, std::string id, bool force);
boost::asio::awaitable<std::optional<core::ExitRecord>> wait_container(
    StatePtr state, std::string id, std::chrono::milliseconds limit);
boost::asio::awaitable<std::unique_ptr<ExecSession>> exec(StatePtr state, ExecAction action);
boost::asio::awaitable<void> recover(StatePtr state);

/// Read in a thread, one list of a pod at a time: what is in it is its tenants' choice.
boost::asio::awaitable<std::vector<core::PodProcess>> list_processes(StatePtr state,
                                                                     std::string sandbox);
boost::asio::awaitable<ProcessView> find_process(StatePtr state, ProcessQuery query);
/// To one process, and only if it is the container's. Throws not_found otherwise.
void signal_process(const EngineState& state, const std::string& container, pid_t pid, int signal);
[[nodiscard]] std::vector<AccessView> access_in(const EngineState& state, const std::string& id,
                                                const std::optional<std::string>& from,
                                                const std::optional<std::string>& to);

/// Connects the sandbox with the process of its shim.
void adopt_process(EngineState& state, SandboxEntry& sandbox, UniqueFd pidfd,
                   ShimProcess::Whose whose);
/// Pins, records and publishes a sandbox whose shim has made it.
void commit_sandbox(EngineState& state, SandboxEntry& sandbox, core::SandboxFacts facts);
/// Records and publishes a container which the shim has made.
void commit_container(EngineState& state, SandboxEntry& sandbox, ContainerEntry& container,
                      core::ContainerFacts facts);
/// Undoes a container that did not become complete. Does not throw.
boost::asio::awaitable<void> undo_container(StatePtr state, SandboxPtr sandbox, std::string id);

}  // namespace covey::daemon
