// How a started daemon finds everything again: the shims hold the truth, the records say what was
// asked for, and the journal says what has been told. Each sandbox by itself, all at once.
// Used by the engine only, before anything else happens. Thread rule: the io_context's one thread.
#pragma once

#include "engine/journal_index.hpp"
#include "engine/state.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace covey::daemon {

/// What a shim says that it holds.
struct ShimStatus {
    /// silent: it has the socket but does not answer; its files must do.
    enum class Shim { alive, silent, dead };
    Shim shim = Shim::dead;
    std::optional<core::SandboxFacts> sandbox;
    std::map<std::string, core::ContainerFacts> containers;
    std::vector<core::ExecFacts> execs;
};

struct Recovery {
    StatePtr state;
    JournalIndex index;
    std::map<std::string, FoundShim> shims = {};  // by the sandbox's id
};

/// A sandbox that runs, or may run, without a record that can be read: shown as `unknown`, with
/// what its shim and the kernel say, until it is deleted. `problem` is what is wrong with it.
boost::asio::awaitable<void> adopt_unknown(Recovery& recovery, std::string id, UniqueFd folder,
                                           std::string problem);

/// Asks the shim for all that it holds. A shim that cannot be reached: dead, or silent.
boost::asio::awaitable<ShimStatus> reach_shim(StatePtr state, SandboxPtr sandbox);

/// Finds the containers of a complete sandbox again, finishes or undoes what was begun, and
/// publishes what the journal lacks.
boost::asio::awaitable<void> recover_containers(Recovery& recovery, SandboxPtr sandbox,
                                                const ShimStatus& status);
/// Nobody holds the streams of execs any more: ends them.
boost::asio::awaitable<void> end_execs(Recovery& recovery, SandboxPtr sandbox,
                                       const ShimStatus& status);

}  // namespace covey::daemon
