// The command's side of a launch's hand-shake (launch/message.hpp): takes what launcher, init and
// their helpers say until init waits at its gate, runs the hooks of the runtime's namespaces when
// they are due, holds the pod still while that is needed, brings seccomp listeners to their agents.
// Called by create. Thread rule: single-threaded. Blocks as the launch does.
#pragma once

#include "launch/message.hpp"
#include "launch/seccomp_agent.hpp"
#include "runtime/record.hpp"
#include "runtime/stillness.hpp"
#include "spec/types.hpp"

#include <optional>
#include <vector>

namespace covey::runtime {

class HandShake {
  public:
    /// `record` and `hooks` outlive this. `nested_in`: the PID namespace that init's is made in,
    /// or invalid; `cgroups` null: the host's are looked up when the pod is to stand still.
    HandShake(const ContainerRecord& record, const spec::Hooks& hooks, FdRef nested_in,
              const cgroup::Host* cgroups)
        : record_(record), hooks_(hooks), nested_in_(nested_in), cgroups_(cgroups) {}

    /// Throws what the launch failed with.
    void await_ready(FdRef socket);
    /// Ends all that were told of and are not the launcher. The pod stays still: the group may have
    /// others.
    void kill() noexcept;
    /// The pod goes on.
    void let_go() noexcept { stillness_.reset(); }

    [[nodiscard]] launch::Born& born() noexcept { return born_; }
    [[nodiscard]] launch::Spawner& spawner() noexcept { return spawner_; }
    /// Hooks have run: poststop hooks are due if the create is undone.
    [[nodiscard]] bool hooks_ran() const noexcept { return hooks_ran_; }

  private:
    void take(launch::Born message) { born_ = std::move(message); }
    void take(launch::Ready message);
    [[noreturn]] static void take(const launch::Failed& message) { throw message.error; }
    void take(launch::HooksDue message) { hooks_due_ = message.pid; }
    void take(launch::SeccompAgent message) { seccomp_.take(std::move(message)); }
    void take(launch::SeccompListener message) { seccomp_.take(std::move(message)); }
    void take(launch::NeighboursDue message);
    void take(launch::Dropped message);
    void take(launch::Helper message) { helpers_.push_back(std::move(message.pidfd)); }
    void take(launch::Spawner message) { spawner_ = std::move(message); }
    void run_due_hooks();

    const ContainerRecord& record_;
    const spec::Hooks& hooks_;
    FdRef nested_in_, socket_{-1};
    const cgroup::Host* cgroups_;
    launch::Born born_;
    launch::Spawner spawner_;
    launch::SeccompDelivery seccomp_;
    std::vector<UniqueFd> helpers_;
    std::optional<pid_t> hooks_due_;
    std::optional<Stillness> stillness_;
    bool is_ready_ = false, hooks_ran_ = false;
};

}  // namespace covey::runtime
