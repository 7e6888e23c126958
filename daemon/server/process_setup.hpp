// What coveyd does to itself before it does anything else: umask, descriptor limit, signals.
// Called by main only, first. Thread rule: before any other thread. Does not block.
#pragma once

#include "server/listener.hpp"

#include <string>

namespace covey::daemon {

/// umask 077; the soft limit of descriptors up to the hard one; SIGPIPE ignored (a process that
/// closes its stdin must not end the daemon).
void set_up_process();

/// The socket's path, and as many connections as the descriptor limit allows beside the shims.
[[nodiscard]] ListenerConfig listener_config(const std::string& socket);

}  // namespace covey::daemon
