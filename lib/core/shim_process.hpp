// How a shim comes into being and how to reach it again: the only place that knows the names in a
// sandbox's state folder and the shim's descriptors. Used by coveyd's engine and by the façade.
// Thread rule: any thread; spawn() uses posix_spawn. Blocks for about a millisecond (spawn).
//
// A sandbox's state folder (mode 0700), `<root>/sandboxes/<id>/`:
//   shim.sock           SOCK_SEQPACKET, the shim listens here
//   ns/<type>           the pins: bind mounts of the pod's namespaces
//   sandbox.json        SandboxFacts, written by the shim
//   record.json         what the owner (coveyd) was asked for; not read by the shim
//   containers/<id>/    container.json (ContainerFacts, with the exit record once there is one),
//                       config.json (the bundle's, as it was at create), start.fifo, record.json
//                       (owner's)
#pragma once

#include "base/unique_fd.hpp"
#include "core/messages.hpp"
#include "core/programs.hpp"
#include "sys/process.hpp"

#include <string>

namespace covey::core {

/// The shim's descriptors, in the order in which spawn() passes them.
inline constexpr int kShimListenFd = 3;  // listening socket
inline constexpr int kShimFolderFd = 4;  // the sandbox's state folder (O_PATH)
inline constexpr int kShimPauseFd = 5;   // sealed copy of covey-pause
inline constexpr int kShimCacheFd = 6;   // folder of compiled seccomp filters (O_PATH)

/// Makes `shim.sock` (a stale one is replaced), connects, and starts covey-shim with it: the
/// connection waits in the backlog until the shim accepts, so nothing here waits for the shim. The
/// child gets no environment of ours but, in builds with COVEY_FAULTS, COVEY_FAIL_AT,
/// COVEY_PATIENCE and the sanitizers' options.
struct SpawnedShim {
    sys::Child process;
    UniqueFd connection;  // SOCK_SEQPACKET, blocking
};
[[nodiscard]] SpawnedShim spawn_shim(const Programs& programs, const std::string& sandbox_id,
                                     FdRef state_folder, FdRef seccomp_cache);
/// Throws Code::sandbox_gone when nobody listens.
[[nodiscard]] UniqueFd connect_shim(FdRef state_folder);

/// Pins /proc/<pause>/ns/<type> as `ns/<type>` below the state folder, for every type that `facts`
/// names, and puts the pins' paths into `facts`. What is pinned already stays. The caller's mount
/// namespace must be the host's. Throws sandbox_gone when pause is no longer the one of the facts;
/// nothing stays pinned then.
void pin_namespaces(SandboxFacts& facts, FdRef state_folder, const std::string& state_path);
/// Unmounts the pins (MNT_DETACH) and removes `ns`. Not there: nothing.
void unpin_namespaces(FdRef state_folder);

}  // namespace covey::core
