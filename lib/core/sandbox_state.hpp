// Inside lib/core only: what a covey::Sandbox and its covey::Containers share, and the functions of
// the façade that are nobody's members.
// Thread rule: State is constant after construction but for the shim's process, which has a mutex.
// Every call uses a connection of its own, so that calls of several threads do not meet.
#pragma once

#include "base/unique_fd.hpp"
#include "core/client.hpp"
#include "covey/container.hpp"
#include "covey/sandbox.hpp"
#include "sys/process.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace covey {

/// Bound of one request to the shim. Everything but a stop under load takes milliseconds.
inline constexpr std::chrono::seconds kCallLimit{30};

struct Sandbox::State {
    std::string id;
    std::string root;  // the state root
    std::string path;  // "<root>/sandboxes/<id>"
    UniqueFd folder;   // path
    std::mutex mutex;
    /// Only in the process that created the sandbox: its child, which it must reap.
    sys::Child shim;

    /// Throws sandbox_gone.
    [[nodiscard]] core::ShimClient connect() const;
    [[nodiscard]] core::SandboxFacts facts() const;
};

struct Container::State {
    std::shared_ptr<Sandbox::State> sandbox;
    std::string id;

    /// Throws not_found.
    [[nodiscard]] core::ContainerFacts facts() const;
};

namespace core {

/// The public options as the protocol has them. Throw invalid_argument naming the option.
[[nodiscard]] SandboxConfig sandbox_config(std::string_view id, const SandboxOptions& options);
[[nodiscard]] ContainerConfig container_config(std::string_view id, const std::string& bundle,
                                               const ContainerOptions& options);
[[nodiscard]] ExecConfig exec_config(const std::string& container, const ExecOptions& options);

/// The façade's own record of a sandbox, enough to clean up after a dead shim.
struct SandboxRecord {
    std::string cgroup;  // "/covey/web.pod"
    pid_t shim_pid = 0;
    std::uint64_t shim_start_time = 0;
};
void write_sandbox_record(FdRef folder, const SandboxRecord& record);
/// Empty fields where the record is of an earlier boot, missing or damaged: nothing to end then.
[[nodiscard]] SandboxRecord read_sandbox_record(FdRef folder);

/// The start time of a process that cannot be reaped by anyone else meanwhile (our child).
[[nodiscard]] std::uint64_t start_time_of(pid_t pid);
/// Waits until the shim has ended (at most 5 s, then it is killed) and reaps it if it is our child.
void end_shim(sys::Child& shim);
/// SIGKILL to every process of the group, waits until it is empty (10 s, then Code::timeout), and
/// removes it. Not there: nothing.
void clear_group(const std::string& cgroup);
/// Ends what is left of a sandbox, its shim alive or not, and removes cgroups, pins and state.
/// Not there: nothing. A shim that is not ours to reap is found by its record.
void dismantle(const std::string& state_root, const std::string& id, sys::Child& shim);

}  // namespace core
}  // namespace covey
