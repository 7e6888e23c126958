// What the engine needs of the host besides files: shims, mounts and cgroups, behind one seam, so
// that the engine's own logic is tested without privileges against a scripted shim.
// Used by the engine only. Thread rule: the io_context's one thread. May block for about a
// millisecond (spawn); nothing here waits for a shim or for processes to end.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/turns.hpp"
#include "core/shim_process.hpp"
#include "engine/find_shims.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace covey::daemon {

class Surroundings {
  public:
    virtual ~Surroundings() = default;
    virtual core::SpawnedShim spawn(const std::string& sandbox, FdRef folder) = 0;
    /// Throws sandbox_gone when nobody listens.
    virtual UniqueFd connect(FdRef folder) = 0;
    /// Puts the pins' paths into `facts`.
    virtual void pin(core::SandboxFacts& facts, FdRef folder, const std::string& path) = 0;
    virtual void unpin(FdRef folder) = 0;
    /// SIGKILL to everything in the group, at most some milliseconds of it: what is left is told by
    /// the next calls, until remove_group() says that nothing is there. Not there: nothing.
    virtual void kill_group(const std::string& cgroup) = 0;
    /// Who is left in it, for an error.
    [[nodiscard]] virtual std::string survivors(const std::string& cgroup) = 0;
    /// Removes the group in every hierarchy, at most some milliseconds of it.
    virtual cgroup::Removal::Left remove_group(const std::string& cgroup) = 0;
    /// A pidfd of exactly that process; nothing when it is gone.
    virtual std::optional<UniqueFd> find_process(pid_t pid, std::uint64_t start_time) = 0;
    /// Every covey-shim that holds a folder `sandboxes/<id>` of this state folder, or held it
    /// before that was removed.
    virtual std::vector<FoundShim> find_shims(FdRef state_root) = 0;
    [[nodiscard]] virtual const cgroup::Host& host() const = 0;
};

/// The host itself. `seccomp_cache` is lent to every shim. Throws unsupported_by_host when there
/// are no cgroups.
[[nodiscard]] std::unique_ptr<Surroundings> host_surroundings(UniqueFd seccomp_cache);

}  // namespace covey::daemon
