// The launcher: a fork of the single-threaded shim (or covey-runtime) that reads the bundle,
// compiles the plan, builds the container's world outside the pod, clones init as its parent's
// child (CLONE_PARENT) and ends. Its steps, in order, are the private functions of launcher.cpp;
// docs/LAUNCH.md tells why they stand in that order ("born clean and born dropped"). Thread rule:
// single-threaded, in a process of its own. Blocks as files and mounts do.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "launch/access.hpp"
#include "launch/bundle.hpp"
#include "launch/hooks.hpp"
#include "launch/keyring.hpp"
#include "launch/message.hpp"
#include "launch/namespaces.hpp"
#include "launch/stdio.hpp"
#include "plan/compile.hpp"

#include <string>

#include <sys/types.h>

namespace covey::launch {

/// What only covey-runtime's containers have.
struct EngineExtras {
    /// Descriptors 3 … 2 + count go to the container's program.
    unsigned preserved_fds = 0;
    SessionKeyring keyring = SessionKeyring::own;
    /// For hooks that launcher and init run. Empty: there are no hooks.
    HookState hook_state;
    /// There is a second FIFO: init says there why its exec failed (store/start_gate.hpp).
    bool has_report = false;
    /// So many tasks the launch itself may have: the parent lowers a smaller limit to what it shall
    /// be when init is at its gate.
    std::int64_t least_tasks = 0;
    /// The terminal's lines end as they are written, not with a carriage return before.
    bool plain_newlines = false;
    /// The host's root is a ramdisk: the container's is entered by chroot (sys::chroot_into).
    bool no_pivot = false;
};

struct LaunchInput {
    plan::LaunchRequest request;
    plan::CompileOptions compile;
    StdioNames stdio;
    /// With a terminal: the parent copies what it shows to stdio.out, which the launcher opens, for
    /// a log's file system may keep whoever opens it waiting.
    bool copies_terminal = false;
    PodNamespaces pod;                      // all invalid: no sandbox
    const cgroup::Host* cgroups = nullptr;  // null: the container gets no group of its own
    cgroup::Placement cgroup_path;  // the container's group; the caller was born in it on v2
    cgroup::DeviceRulesIn device_rules = cgroup::DeviceRulesIn::files;
    FdRef state_folder{-1};          // the container's: start.fifo is there, config.json goes there
    ChannelRefs channels;            // launch/message.hpp
    const Bundle* bundle = nullptr;  // read already; null: the launcher reads it
    EngineExtras engine;
    SpawnerInput spawner;  // for a container with restricted access
    /// Main process (a pidfd) of the container whose root this one shows.
    FdRef shown{-1};
    /// What init executes in place of process.args[0]; invalid: that one, from the root.
    FdRef program{-1};
};

/// Runs in the launcher process and ends it: status 0 when init is there, else 1 after Failed.
[[noreturn]] void run_launcher(const LaunchInput& input) noexcept;

inline constexpr const char* kConfigName = "config.json";

}  // namespace covey::launch
