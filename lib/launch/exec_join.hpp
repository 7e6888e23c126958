// An exec: a process more in a container that runs. Born clean like init: the launcher joins the
// container's namespaces from outside, closes everything of the host, enters the PID namespace for
// its children, cuts its privileges and only then clones the process (CLONE_PARENT). Thread rule:
// single-threaded, in a process of its own.
#pragma once

#include "launch/launcher.hpp"

namespace covey::launch {

struct ExecInput {
    plan::LaunchRequest request;  // the container's, as it was created
    plan::ExecRequest exec;
    plan::CompileOptions compile;
    /// The process's streams; all invalid with a terminal.
    FdRef in{-1}, out{-1}, err{-1};
    FdRef init{-1};  // pidfd of the container's main process
    const cgroup::Host* cgroups = nullptr;
    cgroup::Placement container_cgroup;  // the caller was born in a group below it (v2)
    std::string exec_cgroup;  // empty: none of its own, the caller was born in the container's
    FdRef state_folder{-1};   // the container's: config.json as it was at create
    ChannelRefs channels;
    /// Not null: the whole process as it shall be (covey-runtime); `exec` counts only for its
    /// command and terminal then.
    const spec::Process* process = nullptr;
    EngineExtras engine;                // preserved_fds, keyring and newlines
    bool joins_user_namespace = false;  // the container is in one
    /// CLONE_NEW… of those that are not joined because the caller is in them.
    std::uint64_t shared_namespaces = 0;
};

[[noreturn]] void run_exec_launcher(const ExecInput& input) noexcept;

}  // namespace covey::launch
