// The engine: the only entrance to everything coveyd does. Owns the registry of sandboxes and
// containers, one link to each shim, the event log and the records on disk. Runs on the one thread
// of the daemon's io_context; never blocks on a shim, never forks (shims come by posix_spawn),
// never calls setns or unshare. An operation runs to its end even if the client that asked for it
// is gone. Errors: covey::Error.
#pragma once

#include "api/action.hpp"
#include "api/metrics.hpp"
#include "base/unique_fd.hpp"
#include "core/processes.hpp"
#include "engine/id_range.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace covey::daemon {

struct EngineConfig {
    std::string root = "/run/covey";
    std::size_t most_sandboxes = 4096, most_containers = 16384;
    std::size_t events_kept = 65536;
    /// Registry of engines' containers (store/engine_link.hpp); empty: none is watched.
    std::string engine_registry;
    /// Root folder of the debuggers that name none.
    std::string debug_tools = "/var/lib/covey/tools";
    /// Of sandboxes with a new user namespace that name no mappings.
    IdSource ids = {};
    /// Longest time that a shim may take for one answer (a launch included).
    std::chrono::milliseconds shim_deadline{30'000};
};

template <typename View>
struct Created {
    View view;
    bool was_there = false;  // 200 instead of 201
};

/// An exec that runs. Dropping it kills what is left of the exec (its whole cgroup).
class ExecSession {
  public:
    virtual ~ExecSession() = default;
    [[nodiscard]] virtual const core::ExecFacts& facts() const = 0;
    /// Our ends, non-blocking. With a terminal `input` and `output` are the same pty master
    /// (duplicated) and `error` is invalid. Taken once.
    virtual UniqueFd take_input() = 0;
    virtual UniqueFd take_output() = 0;
    virtual UniqueFd take_error() = 0;
    virtual boost::asio::awaitable<core::ExitRecord> wait() = 0;
};

/// A reader of the event log. Never loses one in silence: a reader that is more than the log's
/// length behind gets Code::compacted.
class EventReader {
  public:
    virtual ~EventReader() = default;
    /// Waits for the next event; nothing after `limit` (time for a heartbeat line).
    virtual boost::asio::awaitable<std::optional<EventRecord>> next(
        std::chrono::milliseconds limit) = 0;
};

struct EngineState;
class Surroundings;

class Engine {
  public:
    /// Makes, checks and locks the state folder. Throws failed_precondition when another daemon has
    /// it, permission_denied when others can write to it, unsupported_by_host without cgroups.
    Engine(boost::asio::io_context& io, EngineConfig config);
    /// With a host of the test's own (engine/surroundings.hpp).
    Engine(boost::asio::io_context& io, EngineConfig config,
           std::unique_ptr<Surroundings> surroundings);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Finds every sandbox again: links to living shims, reads the records of what ended, finishes
    /// or undoes what was begun, and writes the events that a killed daemon could not. Before
    /// listening.
    boost::asio::awaitable<void> recover();

    boost::asio::awaitable<Created<SandboxView>> create_sandbox(CreateSandboxAction action);
    boost::asio::awaitable<SandboxView> stop_sandbox(std::string id);
    /// Throws failed_precondition while it has containers or is not stopped, unless `force`. Not
    /// there: not_found, with force nothing.
    boost::asio::awaitable<void> delete_sandbox(std::string id, bool force);
    [[nodiscard]] SandboxView sandbox(const std::string& id) const;
    [[nodiscard]] std::vector<SandboxView> sandboxes() const;
    boost::asio::awaitable<std::vector<core::PodProcess>> processes(std::string sandbox);
    /// Whose process it is, also of an engine's container. Throws not_found when there is none, or
    /// it is nobody's (or not of the sandbox that the query names); invalid_argument for a thread;
    /// unsupported_by_host for an inode where the kernel has no pidfs.
    boost::asio::awaitable<ProcessView> find_process(ProcessQuery query);
    /// For each ordered pair of running containers, and for pause as the target. `from` and `to`
    /// empty: all. Throws not_found, failed_precondition when one that was named does not run.
    [[nodiscard]] std::vector<AccessView> access(const std::string& sandbox,
                                                 const std::optional<std::string>& from,
                                                 const std::optional<std::string>& to) const;

    boost::asio::awaitable<Created<ContainerView>> create_container(CreateContainerAction action);
    boost::asio::awaitable<ContainerView> start_container(std::string id);
    boost::asio::awaitable<void> kill_container(KillAction action);
    /// Every process of it stands still, or goes on. One that does so already: nothing.
    boost::asio::awaitable<ContainerView> pause_container(std::string id);
    boost::asio::awaitable<ContainerView> resume_container(std::string id);
    /// Answers when the new limits are in force.
    boost::asio::awaitable<void> update_container(UpdateAction action);
    /// Throws failed_precondition when it has no terminal.
    boost::asio::awaitable<void> resize_container(ResizeAction action);
    boost::asio::awaitable<ContainerView> stop_container(StopContainerAction action);
    boost::asio::awaitable<void> delete_container(std::string id, bool force);
    /// Nothing when `limit` is over first.
    boost::asio::awaitable<std::optional<core::ExitRecord>> wait_container(
        std::string id, std::chrono::milliseconds limit);
    [[nodiscard]] ContainerView container(const std::string& id) const;
    [[nodiscard]] std::vector<ContainerView> containers() const;
    boost::asio::awaitable<std::unique_ptr<ExecSession>> exec(ExecAction action);
    /// Created and started, or nothing of it is left.
    boost::asio::awaitable<ContainerView> debug(DebugAction action);

    /// Those that engines made through covey-runtime, asked of the kernel now. One that cannot be
    /// believed is left out and reported in the log.
    [[nodiscard]] std::vector<EngineContainerView> engine_containers() const;
    /// The engine's container of that id; throws not_found as container() does, and
    /// failed_precondition when the id is in several roots.
    [[nodiscard]] EngineContainerView engine_container(const std::string& id) const;
    /// Throws failed_precondition, naming the engine, when `id` is an engine's container and not
    /// one of ours: what would change it is the engine's to do.
    void require_ours(const std::string& id) const;

    /// Events after `since`; throws compacted when they are no longer kept.
    [[nodiscard]] std::unique_ptr<EventReader> events(std::uint64_t since);
    /// seq of the newest event: the resourceVersion of lists.
    [[nodiscard]] std::uint64_t newest_event() const;
    /// What happened since this coveyd began.
    [[nodiscard]] EventCounters event_counters() const;

    [[nodiscard]] std::vector<HostCheck> host_checks() const;
    [[nodiscard]] const cgroup::Host& cgroup_host() const;

  private:
    std::shared_ptr<EngineState> state_;
};

}  // namespace covey::daemon
