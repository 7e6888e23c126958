// The words of a launch, over two SOCK_SEQPACKET pairs whose other ends the parent (shim or
// covey-runtime) holds. What is believed of whom, and when, is launch/hand_shake.hpp's; here is
// only how it is written.
//
// The launcher's channel. Nobody who is in the pod's sight holds it: the launcher closes it before
// it clones such a process, or (pid mode nested) the others close it while the neighbours stand
// still.
//
//   launcher → parent  SeccompAgent     only if the filter asks an agent; descriptor: its socket
//   launcher → parent  HooksDue   only if there are creation hooks; who makes the container's world
//   parent   → launcher Go        (launch/world.hpp: launcher or init) waits for Go
//   launcher → parent  SeccompListener  of a filter that the launcher has loaded
//   launcher → parent  Spawner    stays in the container's domain for later execs; descriptor: its
//                                 control socket (launch/access.hpp)
//   launcher → parent  Prepared   what there is to know of the process; descriptors: those that it
//                                 announces. Sent before the privileges are cut: what is in flight
//                                 counts against the sender's user otherwise (unix(7))
//   launcher → parent  NeighboursDue    a privileged process is about to be in the pod; waits
//   parent   → launcher Go
//   launcher → parent  Between    the parent's child besides launcher and init
//   launcher → parent  Dropped    the neighbours may go on: nothing privileged is in the pod
//   launcher → parent  Failed     what went wrong; the sender ends with status 1
//
// The newborn's channel. A neighbour may come to hold it, but in pid mode container, where nobody
// else sees init before it is ready: there it makes the world.
//
//   init     → parent  Alive      its first word
//   init     → parent  HooksDue   of a world that it makes itself, as on the launcher's channel
//   init     → parent  TerminalOpened  of such a world; descriptor: the pty's master
//   init     → parent  SeccompListener  of a filter that init has loaded
//   init     → parent  Ready      it waits at the start gate (not for an exec: that has none)
//   init     → parent  Failed     also the launcher's, when the clone of init failed
//   (end of stream)               init has exec'd, or ended
//
// Thread rule: single-threaded programs.
#pragma once

#include "base/unique_fd.hpp"
#include "covey/error.hpp"
#include "sys/socket.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace covey::launch {

/// A child's ends, or the parent's.
struct Channels {
    UniqueFd launcher, newborn;
};
/// The same, owned by somebody else.
struct ChannelRefs {
    FdRef launcher{-1}, newborn{-1};
    ChannelRefs() = default;
    ChannelRefs(FdRef launchers, FdRef newborns) : launcher(launchers), newborn(newborns) {}
    ChannelRefs(const Channels& owned)  // NOLINT(google-explicit-constructor): a view
        : launcher(owned.launcher), newborn(owned.newborn) {}
};
struct ChannelPairs {
    Channels parent;  // non-blocking; packets name their senders
    Channels child;
};
[[nodiscard]] ChannelPairs make_channels();

struct Prepared {
    UniqueFd terminal;         // pty master, if the launcher opened one
    UniqueFd held_stdin;       // write end that keeps a stdin of kind "hold" open
    UniqueFd terminal_output;  // what a terminal shows is to be copied there
    bool used_proc_context = false;
    std::vector<std::string> command, warnings;
};
/// The namespaces and mounts are there, the pivot is not: the parent runs the hooks of the
/// runtime's namespaces now, and says send_go. The sender is who the hooks are told of: its
/// namespaces are the container's (docs/decisions/008).
struct HooksDue {};
/// Connected to on the host; the parent tells it of the process (launch/seccomp_agent.hpp).
struct SeccompAgent {
    UniqueFd socket;
    std::string metadata;
};
struct SeccompListener {
    UniqueFd listener;
};
struct Spawner {
    pid_t pid = 0;
    UniqueFd control;
};
struct NeighboursDue {};
struct Between {
    pid_t pid = 0;
};
struct Dropped {};
struct Failed {
    Error error;
    /// Nobody has said so: its process ended.
    bool was_silent = false;
};
using LauncherMessage = std::variant<Prepared, HooksDue, SeccompAgent, SeccompListener, Spawner,
                                     NeighboursDue, Between, Dropped, Failed>;

struct Alive {};
struct TerminalOpened {
    UniqueFd master;
};
struct Ready {};
using NewbornMessage =
    std::variant<Alive, HooksDue, TerminalOpened, SeccompListener, Ready, Failed>;

// What a child says; each blocks and throws.
void send_prepared(FdRef launchers, const Prepared& prepared);
/// On the maker's channel. Blocks until the parent says go; throws when it has gone instead.
void ask_for_hooks(FdRef channel);
void send_agent(FdRef launchers, FdRef agent, std::string_view metadata);
/// On either channel.
void send_listener(FdRef channel, FdRef listener);
void send_spawner(FdRef launchers, pid_t pid, FdRef control);
/// Blocks until the neighbours stand still; throws when the parent has gone instead.
void ask_for_stillness(FdRef launchers);
void send_between(FdRef launchers, pid_t pid);
void send_dropped(FdRef launchers);
void send_alive(FdRef newborns);
void send_terminal(FdRef newborns, FdRef master);
void send_ready(FdRef newborns);
/// Never throws: whoever cannot even say what went wrong just ends.
void send_failed(FdRef channel, const Error& error) noexcept;
/// A Failed packet written to a FIFO (at most PIPE_BUF bytes of it, so it is never torn). Never
/// throws.
void write_failure(FdRef fifo, const Error& error) noexcept;

/// What the parent says. Does not block: EAGAIN is thrown.
void send_go(FdRef channel);

// What was received (message_decoding.cpp). Each throws Code::internal for what is no message of
// that channel, or has other descriptors than it announces, or ones that are not what they should
// be; the packet's descriptors are closed then.
[[nodiscard]] LauncherMessage decode_launcher_message(sys::Packet packet);
[[nodiscard]] NewbornMessage decode_newborn_message(sys::Packet packet);
/// The error in a Failed packet that came by other means: its texts are bounded, and what is no
/// printable text in them is replaced.
[[nodiscard]] Error decode_failure(std::string_view packet);

}  // namespace covey::launch
