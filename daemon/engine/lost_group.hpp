// The group of a sandbox of which neither coveyd's record nor the shim's can be read. It is looked
// for by its name, and never touched for that: a name is no proof of whose it is.
// Thread rule: the io_context's one thread; goes through the host's groups by turns of some
// milliseconds.
#pragma once

#include "engine/state.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace covey::daemon {

/// Throws failed_precondition naming the groups that may be the sandbox's; nothing where its group
/// is known, or there is none of that name.
boost::asio::awaitable<void> refuse_lost_group(StatePtr state, SandboxPtr sandbox);

}  // namespace covey::daemon
