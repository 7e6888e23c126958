// The cgroup of a container that is being made: chosen before its intent is written, then made; or,
// with --systemd-cgroup, a scope, which cannot be without a process and is made when the launcher
// is there. Called by creating.cpp alone. Thread rule: single-threaded. Blocks as cgroupfs does,
// and as long as systemd takes to answer.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "core/container_record.hpp"
#include "runtime/container_store.hpp"
#include "runtime/systemd.hpp"
#include "spec/types.hpp"

#include <cstdint>
#include <optional>

#include <sys/types.h>

namespace covey::runtime {

class OwnGroup {
  public:
    /// Launcher, init, what is between them, and a hook with a child.
    static constexpr std::int64_t kLaunchTasks = 8;

    /// All outlive it. The record is told where the container is, and with what is above it that
    /// goes with it.
    OwnGroup(const spec::Spec& spec, core::ContainerRecord& record, const ContainerStore& store,
             const ContainerFolder& folder)
        : spec_(spec), record_(record), store_(store), folder_(folder) {}

    /// By the record's kind. Throws for a cgroupsPath or a scope that cannot be, and
    /// unsupported_by_host for `restricted` access in a scope that v1 hierarchies know nothing of.
    void choose(bool restricted);
    /// Without a scope. Throws failed_precondition when a container that `nests` has to do without.
    void make(bool nests);
    /// Before the launcher is cloned.
    void prepare_scope();
    /// In the launcher, until systemd has it in its scope; ends the process when that fails.
    void await_scope(FdRef channel);
    /// In the command. Throws when systemd refuses; then nothing is left.
    void make_scope(pid_t launcher);
    /// In force before anything of the container's can run: it is at its gate.
    void lower_tasks();

    [[nodiscard]] bool is_scope() const noexcept { return scope_.has_value(); }
    /// Null: command and container have nothing to do with cgroups.
    [[nodiscard]] const cgroup::Host* host() const noexcept { return host_ ? &*host_ : nullptr; }
    /// Null: there is none, or not yet.
    [[nodiscard]] cgroup::Group* group() noexcept { return group_ ? &*group_ : nullptr; }

  private:
    void choose_placement();
    void choose_scope(bool restricted);

    const spec::Spec& spec_;
    core::ContainerRecord& record_;
    const ContainerStore& store_;
    const ContainerFolder& folder_;
    std::optional<cgroup::Host> host_;
    std::optional<ScopeRequest> scope_;
    std::optional<cgroup::Group> group_;
    Pipe scope_gate_;  // says the scope's group
};

}  // namespace covey::runtime
