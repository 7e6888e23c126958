// The pod itself: its cgroup, pause and the namespaces that pause holds.
// Thread rule: the loop's thread. Nothing blocks: what pause's set-up says is heard on the loop.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/residents.hpp"
#include "cgroup/turns.hpp"
#include "core/messages.hpp"
#include "launch/launcher.hpp"
#include "launch/sandbox_setup.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"
#include "task/loop.hpp"
#include "task/reaper.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace covey::shim {

class Sandbox {
  public:
    struct Told {
        /// Once, from the loop: pause runs, or why it does not, and then all that was made is
        /// undone. The object may go later, from the loop.
        std::function<void(std::optional<Error>)> made;
        /// Pause has ended, after it was made; the facts say how.
        std::function<void()> ended;
    };
    /// Begins. When it throws, nothing was made.
    Sandbox(task::Owner& owner, task::Reaper& reaper, const cgroup::Host& host,
            const core::SandboxConfig& config, FdRef pause_program, Told told);
    Sandbox(const Sandbox&) = delete;
    Sandbox& operator=(const Sandbox&) = delete;

    [[nodiscard]] const core::SandboxFacts& facts() const noexcept { return facts_; }
    [[nodiscard]] core::SandboxFacts& facts() noexcept { return facts_; }
    /// For a launcher; valid while the sandbox is.
    [[nodiscard]] launch::PodNamespaces namespaces() const;
    [[nodiscard]] plan::SandboxView view() const;
    /// A context for one launch, or an invalid one; what was not used is given back.
    [[nodiscard]] UniqueFd take_proc_context();
    void give_back_proc_context(UniqueFd context);

    /// Pause, until it has been reaped.
    [[nodiscard]] bool is_pause(pid_t pid) const noexcept {
        return pause_ && !pause_gone_ && facts_.pause_pid == pid;
    }
    void add_resident(std::vector<cgroup::Resident>& residents) const;
    /// SIGKILL to pause, by pidfd. The kernel then kills the pod.
    void kill_pause();
    /// After everything in it has ended; false: not yet, or there is more of it.
    [[nodiscard]] bool try_remove_cgroup();
    /// Who is left in it, for an error.
    [[nodiscard]] std::string survivors() const;

  private:
    void listen();
    void expect_pause();
    void hear();
    void take(sys::Packet packet);
    void go_on();
    void fail(const Error& error);
    void undo();
    void note_end(sys::ExitStatus status);
    [[nodiscard]] bool was_out_of_memory() const;
    void start_pause(const core::SandboxConfig& config, FdRef pause_program);
    void clone_pause(launch::SandboxSetup& setup, std::uint64_t flags, cgroup::Group& group);
    void note_mappings();
    void note_namespaces(const core::SandboxConfig& config);

    task::Owner& owner_;
    task::Reaper& reaper_;
    const cgroup::Host& host_;
    core::SandboxConfig config_;
    Told told_;
    core::SandboxFacts facts_;
    UniqueFd handshake_, launcher_, pause_;  // the last two: pidfds
    task::Watch words_;
    task::Reaper::Child launcher_end_, pause_end_;
    task::Timer deadline_;
    std::optional<Error> failed_;
    task::Loop::Clock::time_point undone_by_;
    std::optional<cgroup::Removal> removal_;
    bool pause_gone_ = false;
    bool killed_ = false;  // by us
    std::map<std::string, UniqueFd> namespaces_;
    std::vector<UniqueFd> proc_contexts_;
    UniqueFd proc_keeper_;  // see sandbox_setup.hpp
};

}  // namespace covey::shim
