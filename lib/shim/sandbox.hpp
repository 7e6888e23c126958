// The pod itself: its cgroup, pause and the namespaces that pause holds.
// Thread rule: the loop's thread. create() blocks until pause runs (about a millisecond, at most 10
// s).
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "core/messages.hpp"
#include "launch/launcher.hpp"
#include "launch/sandbox_setup.hpp"
#include "sys/process.hpp"

#include <map>
#include <string>
#include <vector>

namespace covey::shim {

class Sandbox {
  public:
    /// All or nothing: what was made is undone when it throws.
    Sandbox(const cgroup::Host& host, const core::SandboxConfig& config, FdRef pause_program);

    [[nodiscard]] const core::SandboxFacts& facts() const noexcept { return facts_; }
    [[nodiscard]] core::SandboxFacts& facts() noexcept { return facts_; }
    [[nodiscard]] FdRef pause() const noexcept { return pause_; }
    /// For a launcher; valid while the sandbox is.
    [[nodiscard]] launch::PodNamespaces namespaces() const;
    [[nodiscard]] plan::SandboxView view() const;
    /// A context for one launch, or an invalid one; what was not used is given back.
    [[nodiscard]] UniqueFd take_proc_context();
    void give_back_proc_context(UniqueFd context);

    /// SIGKILL to pause, by pidfd. The kernel then kills the pod.
    void kill_pause();
    /// Notes in the facts how pause has ended.
    void note_end(sys::ExitStatus status);
    /// After everything in it has ended.
    void remove_cgroup();

  private:
    [[nodiscard]] bool was_out_of_memory() const;
    void start_pause(const core::SandboxConfig& config, FdRef pause_program);
    void clone_pause(launch::SandboxSetup& setup, std::uint64_t flags, cgroup::Group& group);
    void note_mappings();
    void note_namespaces(const core::SandboxConfig& config);

    const cgroup::Host& host_;
    core::SandboxFacts facts_;
    UniqueFd pause_;
    bool killed_ = false;  // by us
    std::map<std::string, UniqueFd> namespaces_;
    std::vector<UniqueFd> proc_contexts_;
    UniqueFd proc_keeper_;  // see sandbox_setup.hpp
};

}  // namespace covey::shim
