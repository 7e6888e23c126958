// The set-up stage of pause: a clone of the shim in the pod's new namespaces that prepares them,
// gives itself an empty read-only root, drops everything and becomes covey-pause.
// Thread rule: single-threaded, in a process of its own. Does not block.
#pragma once

#include "base/unique_fd.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace covey::launch {

inline constexpr std::uint32_t kPauseId = 65535;  // what Kubernetes' pause image uses since 3.5

struct SandboxSetup {
    /// Namespaces that the pod joins instead of creating: nsfs descriptor and CLONE_NEW… flag.
    std::vector<std::pair<FdRef, std::uint64_t>> join;
    bool own_net = true, own_uts = true;
    std::string hostname;
    std::map<std::string, std::string> sysctls;
    /// The pod's user namespace, to which all that it creates belongs; invalid: the host's.
    FdRef user{-1};
    /// How many procfs contexts to open and send (0 where procfs takes `pidns=`).
    int proc_contexts = 0;
    /// Also a mount namespace whose root is a procfs of the pod.
    bool keeps_proc = false;
    /// Pause's, as the pod's user namespace has them.
    uid_t uid = kPauseId;
    gid_t gid = kPauseId;
    FdRef pause{-1};      // sealed copy of covey-pause
    FdRef handshake{-1};  // close-on-exec; a clean end means that pause runs
};

/// Sends the contexts (one packet "C" with their descriptors and, last, a mount namespace whose
/// root is a procfs of the pod), then execs pause; on failure Failed.
[[noreturn]] void run_sandbox_setup(const SandboxSetup& setup) noexcept;

/// For a pod in a user namespace, in a clone of the shim outside the pod: enters it, so that the
/// namespaces of `flags` belong to it, and clones pause's set-up stage as the shim's own child.
/// Says "I" and its number, with its pidfd; on failure Failed.
[[noreturn]] void run_sandbox_launcher(const SandboxSetup& setup, std::uint64_t flags) noexcept;

}  // namespace covey::launch
