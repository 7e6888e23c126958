// The hand-shake of a launch, over one SOCK_SEQPACKET pair. The parent (shim or covey-runtime)
// holds one end, launcher and init share the other.
//
//   maker    → parent   HooksDue  only if there are creation hooks; the maker of the container's
//   parent   → maker    Go        world (launch/world.hpp: launcher or init) waits for Go
//   launcher → parent   SeccompAgent     only if the filter asks an agent; descriptor: its socket
//   either   → parent   SeccompListener  … and its listener, before Born or before Ready
//   launcher → parent   NeighboursDue    a privileged process is about to be in the pod; waits
//   parent   → launcher Go
//   any      → parent   Helper    a process besides launcher and init is the parent's child, to be
//                                 reaped; descriptor: its pidfd
//   launcher → parent   Spawner  stays in the container's domain for later execs; descriptors: its
//                                pidfd and its control socket (launch/access.hpp)
//   launcher → parent   Dropped  the neighbours may go on: nothing privileged is in the pod
//   launcher → parent   Born      init exists; descriptors: its pidfd, then those announced
//   init     → parent   Ready     init waits at the start gate (not for an exec: it has none)
//   either   → parent   Failed    what went wrong; the sender ends with status 1
//   (end of stream)               launcher has ended, and init has exec'd or ended
//
// Anything else is a protocol error. Thread rule: single-threaded programs. send_* block, as the
// socket's buffer always has room for these.
#pragma once

#include "base/unique_fd.hpp"
#include "covey/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace covey::launch {

struct Born {
    /// In the receiver's PID namespace: the host's. 0 in a sender that does not know it.
    pid_t pid = 0;
    UniqueFd pidfd;
    UniqueFd terminal;    // pty master, if the launcher opened one
    UniqueFd held_stdin;  // write end that keeps a stdin of kind "hold" open
    bool used_proc_context = false;
    std::vector<std::string> command, warnings;
};
/// The namespaces and mounts are there, the pivot is not: the parent runs the hooks of the
/// runtime's namespaces now, and says send_go. `pid` is the launcher, whose namespaces are the
/// container's (docs/decisions/008); 0: it is init, of Born.
struct HooksDue {
    pid_t pid = 0;
};
/// Connected to on the host; the parent tells it of the process (launch/seccomp_agent.hpp).
struct SeccompAgent {
    UniqueFd socket;
    std::string metadata;
};
struct SeccompListener {
    UniqueFd listener;
};
struct Ready {
    UniqueFd terminal;  // pty master, if init opened one
};
struct NeighboursDue {};
struct Dropped {};
struct Helper {
    UniqueFd pidfd;
};
struct Spawner {
    UniqueFd pidfd, control;
};
struct Failed {
    Error error;
};
using Message = std::variant<Born, Ready, Failed, HooksDue, SeccompAgent, SeccompListener,
                             NeighboursDue, Dropped, Helper, Spawner>;

void send_born(FdRef socket, const Born& born);
void send_ready(FdRef socket, FdRef terminal);
void send_agent(FdRef socket, FdRef agent, std::string_view metadata);
void send_listener(FdRef socket, FdRef listener);
/// Blocks until the parent says go; throws when it has gone instead.
void ask_for_hooks(FdRef socket, pid_t pid);
/// Blocks until the neighbours stand still; throws when the parent has gone instead.
void ask_for_stillness(FdRef socket);
void send_dropped(FdRef socket);
void send_spawner(FdRef socket, FdRef pidfd, FdRef control);
void send_helper(FdRef socket, FdRef pidfd);
void send_go(FdRef socket);
/// A Failed packet written to a FIFO (at most PIPE_BUF bytes of it, so it is never torn). Never
/// throws.
void write_failure(FdRef fifo, const Error& error) noexcept;
/// Never throws: whoever cannot even say what went wrong just ends.
void send_failed(FdRef socket, const Error& error) noexcept;

/// The error in a Failed packet that was received by other means than receive_message.
[[nodiscard]] Error decode_failure(std::string_view packet);
/// One message; nothing at the end of the stream; throws Code::internal on a protocol error.
/// `EAGAIN` from a non-blocking socket is the caller's to avoid (poll first).
[[nodiscard]] std::optional<Message> receive_message(FdRef socket);

}  // namespace covey::launch
