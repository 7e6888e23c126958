// The command's side of a launch (task/launching.hpp): waits on a loop of its own until init is at
// its gate, or an exec's program runs; runs the hooks of the runtime's namespaces when they are
// due, holds the pod still while that is needed, brings seccomp listeners to their agents. Called
// by create and exec. Thread rule: single-threaded. Blocks as the launch does, 30 s
// at most; hooks may take their time.
#pragma once

#include "core/container_record.hpp"
#include "launch/message.hpp"
#include "launch/seccomp_agent.hpp"
#include "runtime/stillness.hpp"
#include "spec/types.hpp"
#include "task/launching.hpp"
#include "task/loop.hpp"
#include "task/reaper.hpp"

#include <functional>
#include <optional>

namespace covey::runtime {

class HandShake {
  public:
    struct Input {
        const core::ContainerRecord& record;  // outlives the hand-shake
        const spec::Hooks* hooks = nullptr;
        /// The PID namespace that init's is made in; invalid: none.
        FdRef nested_in{-1};
        /// What else is due when the container's namespaces are there, told of who is in them.
        std::function<void(pid_t told)> before_hooks;
        /// Null: neither command nor container have to do with cgroups.
        const cgroup::Host* cgroups = nullptr;
        /// Of a container that nests: its own.
        const cgroup::Group* newcomer = nullptr;
        /// Asked when the pod is to stand still.
        std::function<Neighbours()> neighbours;
        std::string group;  // what is launched is born in it, or below; empty: it has none
        bool is_new_group = false;
        launch::HandShake::Expect expect;
        /// OCI's "container process state" of the process, for a seccomp agent.
        launch::SeccompDelivery::State state;
    };
    explicit HandShake(Input input) : input_(std::move(input)) {}

    /// Throws what the launch failed with. Afterwards launcher and helpers have been reaped.
    void await(launch::Channels channels, const sys::Child& launcher);
    /// Ends all that were told of and are not the launcher. The pod stays still: the group may have
    /// others.
    void kill() noexcept;
    /// The pod goes on, as soon as whoever was born there has ended.
    void let_go() noexcept;

    [[nodiscard]] launch::Born& born() noexcept { return born_; }
    /// Of init; invalid: it has none.
    [[nodiscard]] UniqueFd& terminal() noexcept { return born_.prepared.terminal; }
    [[nodiscard]] launch::KeepSpawner& spawner() noexcept { return spawner_; }
    /// Hooks have run: poststop hooks are due if the create is undone.
    [[nodiscard]] bool hooks_ran() const noexcept { return hooks_ran_; }

  private:
    [[nodiscard]] task::Launching::Callbacks callbacks();
    /// What the step throws is what the launch failed with.
    void attempt(const std::function<void()>& step);
    void fail(const Error& error);
    void hold_still();
    void end_stillness();
    [[nodiscard]] bool has_bad_news() const;
    void take_bad_news();
    void run_hooks(pid_t told);
    void deliver();
    void stop_when_done();

    Input input_;
    task::Loop loop_;
    task::Owner owner_{loop_, "launch", [this](const Error& error) { fail(error); }};
    task::Reaper reaper_{loop_};
    // Nobody but those who are expected is waited for here: init is the caller's, or this
    // command's.
    task::Reaper::Listener others_ = reaper_.listen_first(owner_, [] { return false; });
    std::optional<task::Launching> launching_;
    launch::Born born_;
    launch::KeepSpawner spawner_;
    launch::SeccompDelivery seccomp_;
    std::optional<Stillness> stillness_;
    task::Watch bad_news_;
    std::optional<Error> failure_;
    bool is_done_ = false, hooks_ran_ = false;
};

}  // namespace covey::runtime
