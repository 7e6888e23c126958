// The part that covey exec and covey debug share: a process in a container, at this terminal.
// Thread rule: one thread. Blocks until the process has ended.
#pragma once

#include "ctl/requests.hpp"
#include "ctl/session.hpp"

namespace covey::ctl {

/// Answers the process's exit code. Where it gets a terminal and standard input is one, it gets
/// the size of ours, now and later, and every key if `wish.streams_input`.
[[nodiscard]] int run_exec(const Session& session, ExecRequest wish);

}  // namespace covey::ctl
