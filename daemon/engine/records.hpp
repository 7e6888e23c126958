// What the engine writes down of its own: the intent before anything exists, and what it was asked
// for. What became of it is the shim's to tell (sandbox.json, container.json), unless the shim is
// dead. Each is `record.json` in the object's folder. Used by the engine only. Thread rule: one
// owner. Blocks as the state folder's filesystem does.
#pragma once

#include "api/action.hpp"
#include "base/unique_fd.hpp"

#include <optional>
#include <string>

namespace covey::daemon {

/// creating: nothing or a part of it exists. created: it is complete. deleting: the sandbox is
/// being taken down, finish that.
enum class Phase { creating, created, deleting };

struct SandboxRecord {
    Phase phase = Phase::creating;
    CreateSandboxAction request;
    pid_t shim_pid = 0;  // 0: not spawned yet
    std::uint64_t shim_start_time = 0;
    std::optional<core::SandboxFacts> last_facts;  // the engine's, when the shim is dead
};
struct ContainerRecord {
    Phase phase = Phase::creating;
    CreateContainerAction request;
    std::optional<core::ContainerFacts> last_facts;
};

void write_sandbox_record(FdRef folder, const SandboxRecord& record, const std::string& boot_id);
void write_container_record(FdRef folder, const ContainerRecord& record,
                            const std::string& boot_id);

/// Why there is no record to read.
enum class Unread { absent, foreign_boot, unusable };
template <typename Record>
struct ReadRecord {
    std::optional<Record> record;
    Unread why = Unread::absent;
    std::string problem;
};
[[nodiscard]] ReadRecord<SandboxRecord> read_sandbox_record(FdRef folder,
                                                            const std::string& boot_id);
[[nodiscard]] ReadRecord<ContainerRecord> read_container_record(FdRef folder,
                                                                const std::string& boot_id);

/// Removes what writes of ours that were killed half-way have left in the folder.
void remove_half_written(FdRef folder);

/// The shim's own files; nothing when they are missing or damaged.
[[nodiscard]] std::optional<core::SandboxFacts> read_sandbox_facts(FdRef folder);
[[nodiscard]] std::optional<core::ContainerFacts> read_container_facts(FdRef folder);

}  // namespace covey::daemon
