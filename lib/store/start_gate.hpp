// The start gate: a FIFO in a container's state folder at which init waits until its program is to
// be executed, and the one in which it says why that failed (covey-runtime). Who may hold them, and
// what a thief of them gets: docs/LAUNCH.md. Called by launchers, covey-shim, covey-runtime and, to
// look, coveyd. Thread rule: any thread. Does not block.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace covey::store {

/// Makes the gate in the folder, for its owner alone. Throws.
void make_start_gate(FdRef folder);
void make_start_report(FdRef folder);

/// For init, both ends at once: opening waits for nobody, and its writing never meets SIGPIPE.
/// Throws.
[[nodiscard]] UniqueFd hold_start_gate(FdRef folder);
[[nodiscard]] UniqueFd hold_start_report(FdRef folder);

/// For whoever says start. ENXIO: nobody waits there any more; ENOENT: the program was executed.
Result<UniqueFd> open_start_gate(FdRef folder);
/// Before the gate is opened: what init says without a reader is lost. Throws.
[[nodiscard]] UniqueFd open_start_report(FdRef folder);
/// init waits: it holds the gate until it has executed its program.
[[nodiscard]] bool is_waited_at(FdRef folder);
/// Lets init go. Again is harmless, and so is one that has ended meanwhile. Throws.
void ring(FdRef gate);

/// Their work is done. What is not there is no error.
void remove_start_gate(FdRef folder) noexcept;

}  // namespace covey::store
