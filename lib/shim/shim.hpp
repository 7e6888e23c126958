// covey-shim: one for each sandbox, outside it. Parent of pause and of every container's init; the
// only process that forks into the pod; keeps exit codes and terminals over a death of coveyd.
// Thread rule: single-threaded, so that its forks may be ordinary C++.
#pragma once

#include "cgroup/cgroup.hpp"
#include "shim/container.hpp"
#include "shim/peers.hpp"
#include "shim/record_file.hpp"
#include "shim/sandbox.hpp"
#include "task/loop.hpp"
#include "task/reaper.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace covey::shim {

/// What spawn_shim passes (core/shim_process.hpp).
struct Inherited {
    UniqueFd listener, folder, pause, seccomp_cache;
};

class Shim {
  public:
    explicit Shim(Inherited inherited);
    /// Until Shutdown. Returns the program's exit status.
    int run();

  private:
    void handle(ReplyTo reply, core::RequestBody body, std::vector<UniqueFd> fds);
    void on(const core::CreateSandbox& request, ReplyTo reply);
    void on(core::CreateContainer& request, ReplyTo reply);
    void on(core::StopSandbox request, ReplyTo reply);
    void on(core::Status request, ReplyTo reply);
    void on(core::Shutdown request, ReplyTo reply);
    Container& container(const std::string& id);
    Sandbox& ready_sandbox();

    void on_sandbox_made(ReplyTo reply, const std::optional<Error>& error);
    void handle_postponed();
    void on_pause_end();
    /// After pause's end: what is left of the pod goes, and whoever asked is told.
    void bury();
    void on_trouble(const Error& error);
    void kill_containers();
    void stop_if_over();
    /// Those who wait for the stop are told who is in its way.
    void give_up_stop();
    void forget(const std::string& id);
    /// Known, and not of that container.
    [[nodiscard]] bool is_others(pid_t pid, const std::string& container) const;
    [[nodiscard]] std::vector<cgroup::Resident> residents() const;
    void look_for_pause_later();
    [[nodiscard]] task::Stillness::Rules stillness_rules();
    enum class Reaching { no, yes, no_but_moving };
    /// Of those who could reach a privileged newborn, of the others, or of those of the others who
    /// could move who stands still.
    [[nodiscard]] std::vector<const cgroup::Group*> container_groups(Reaching which);
    /// The topmost group of the container that `group` is in; else `group`.
    [[nodiscard]] std::string container_of(const std::string& group) const;

    task::Loop loop_;
    task::Owner owner_;  // the sandbox
    task::Reaper reaper_;
    UniqueFd folder_, pause_program_, seccomp_cache_;
    cgroup::Host host_;
    Peers peers_;
    std::optional<Sandbox> sandbox_;
    std::optional<RecordFile> record_;
    task::Timer retry_, sweep_, stop_deadline_, pause_look_;
    std::optional<task::Loop::Clock::time_point> ended_at_;  // pause
    std::optional<task::Stillness> stillness_;
    std::optional<Homes> homes_;
    std::optional<Context> context_;
    std::map<std::string, std::unique_ptr<Container>> containers_;
    std::vector<std::unique_ptr<Container>> forgotten_;
    struct Postponed {
        ReplyTo reply;
        core::RequestBody body;
        std::vector<UniqueFd> fds;
    };
    std::vector<Postponed> postponed_;
    std::vector<ReplyTo> stop_replies_;
    bool stop_asked_ = false, buried_ = false;
};

}  // namespace covey::shim
