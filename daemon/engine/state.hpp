// What all parts of the engine share. Every operation holds it by shared_ptr, so that it outlives
// the coroutines that work with it. Used by the engine only. Thread rule: the io_context's one
// thread.
#pragma once

#include "engine/async.hpp"
#include "engine/engine.hpp"
#include "engine/engine_containers.hpp"
#include "engine/event_log.hpp"
#include "engine/records.hpp"
#include "engine/registry.hpp"
#include "engine/surroundings.hpp"
#include "store/state_dir.hpp"

#include <memory>
#include <string>

namespace covey::daemon {

struct EngineState : std::enable_shared_from_this<EngineState> {
    EngineState(boost::asio::any_io_executor where, EngineConfig wanted,
                std::unique_ptr<Surroundings> host);

    boost::asio::any_io_executor executor;
    EngineConfig config;
    store::StateDir root;
    UniqueFd sandboxes_folder;
    std::unique_ptr<Surroundings> surroundings;
    std::string boot_id;
    std::shared_ptr<EventLog> events;
    std::shared_ptr<KeyedLocks> locks;
    Registry registry;
    std::shared_ptr<EngineContainers> engine_containers;
    bool closed = false;            // the Engine is being destroyed: begin nothing more
    bool recovered = false;         // or about to be
    bool rewrites_records = false;  // somebody tries again to write records

    [[nodiscard]] std::string sandbox_path(const std::string& id) const;
    /// Appends the event and puts its number into the object's resource_version. A container's
    /// event is also the newest of its sandbox.
    void publish(SandboxEntry& sandbox, const std::string& type);
    void publish(ContainerEntry& container, const std::string& type,
                 const std::optional<core::ExitRecord>& exit = {});
    void publish_exec(ContainerEntry& container, const core::ExecFacts& exec,
                      const std::string& type, const std::optional<core::ExitRecord>& exit = {});
};
using StatePtr = std::shared_ptr<EngineState>;
using SandboxPtr = std::shared_ptr<SandboxEntry>;
using ContainerPtr = std::shared_ptr<ContainerEntry>;

inline std::string sandbox_lock(const std::string& id) {
    return "s/" + id;
}
inline std::string container_lock(const std::string& id) {
    return "c/" + id;
}
/// "containers/<id>", below the sandbox's state folder.
inline std::string container_folder(const std::string& id) {
    return "containers/" + id;
}

/// Writes the record, or has it written as soon as that can be done: with what has happened already
/// a full disk must not interfere.
void keep_record(EngineState& state, SandboxEntry& sandbox, SandboxRecord record);
void keep_record(EngineState& state, const SandboxEntry& sandbox, ContainerEntry& container,
                 ContainerRecord record);

/// `facts` are kept for the time after the shim.
[[nodiscard]] SandboxRecord record_of(const SandboxEntry& sandbox, Phase phase,
                                      std::optional<core::SandboxFacts> facts = {});
/// Writes the sandbox's record for this phase. Throws what the filesystem says.
void record_sandbox(const EngineState& state, const SandboxEntry& sandbox, Phase phase,
                    std::optional<core::SandboxFacts> facts = {});

}  // namespace covey::daemon
