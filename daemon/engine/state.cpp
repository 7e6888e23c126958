#include "engine/state.hpp"

#include "sys/proc.hpp"

#include <utility>

namespace covey::daemon {
namespace {

store::StateDir open_root(const std::string& path) {
    auto root = store::StateDir::open(path);
    root.lock();
    return root;
}

}  // namespace

EngineState::EngineState(boost::asio::any_io_executor where, EngineConfig wanted,
                         std::unique_ptr<Surroundings> host)
    : executor(std::move(where)),
      config(std::move(wanted)),
      root(open_root(config.root)),
      sandboxes_folder(root.folder("sandboxes")),
      surroundings(host ? std::move(host) : host_surroundings(root.folder("seccomp"))),
      boot_id(sys::boot_id().or_throw("read", "boot id")),
      events(std::make_shared<EventLog>(executor, root.fd(), config.events_kept)),
      locks(std::make_shared<KeyedLocks>(executor)),
      engine_containers(std::make_shared<EngineContainers>(EngineContainers::Wiring{
          executor, events, surroundings->host(), boot_id, config.most_containers})) {
}

std::string EngineState::sandbox_path(const std::string& id) const {
    return root.path() + "/sandboxes/" + id;
}

void EngineState::publish(SandboxEntry& sandbox, const std::string& type) {
    EventRecord event;
    event.type = type;
    event.sandbox = sandbox.request.id;
    event.pid = sandbox.facts.pause_pid;
    if (type == "sandbox.stopped") event.exit = sandbox.facts.exit;
    sandbox.resource_version = events->append(std::move(event));
    sandbox.changed.notify();
}

void EngineState::publish(ContainerEntry& container, const std::string& type,
                          const std::optional<core::ExitRecord>& exit) {
    EventRecord event;
    event.type = type;
    event.sandbox = container.request.sandbox;
    event.container = container.request.id;
    event.pid = container.facts.pid;
    event.pod_pid = container.facts.pod_pid;
    event.exit = exit;
    container.resource_version = events->append(std::move(event));
    if (const auto sandbox = registry.find_sandbox(container.request.sandbox))
        sandbox->resource_version = container.resource_version;
    container.changed.notify();
}

void EngineState::publish_exec(ContainerEntry& container, const core::ExecFacts& exec,
                               const std::string& type,
                               const std::optional<core::ExitRecord>& exit) {
    EventRecord event;
    event.type = type;
    event.sandbox = container.request.sandbox;
    event.container = container.request.id;
    event.exec = exec.exec;
    event.pid = exec.pid;
    event.pod_pid = exec.pod_pid;
    event.exit = exit;
    container.resource_version = events->append(std::move(event));
}

SandboxRecord record_of(const SandboxEntry& sandbox, Phase phase,
                        std::optional<core::SandboxFacts> facts) {
    return {phase, sandbox.request, sandbox.facts.shim_pid, sandbox.facts.shim_start_time,
            std::move(facts)};
}

void record_sandbox(const EngineState& state, const SandboxEntry& sandbox, Phase phase,
                    std::optional<core::SandboxFacts> facts) {
    write_sandbox_record(sandbox.folder, record_of(sandbox, phase, std::move(facts)),
                         state.boot_id);
}

}  // namespace covey::daemon
