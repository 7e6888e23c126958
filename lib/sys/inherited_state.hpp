// What a process has from whoever started it and nobody asked for (docs/RUNTIME.md, "What a caller
// passes on"). Called once, at the beginning of main, before anything is forked. Thread rule:
// single-threaded programs, or before the first thread. Do not block.
#pragma once

#include "base/result.hpp"

#include <optional>

namespace covey::sys {

/// 0, 1 and 2 are open: those that are closed become /dev/null, so that nothing internal can take
/// their numbers. Before any other file is opened.
Result<void> open_missing_streams();
/// No signal is blocked or ignored and no timer runs, but SIGHUP, SIGINT and SIGQUIT stay ignored:
/// nohup(1) and shells mean that for the program.
void reset_signals_and_timers() noexcept;
[[nodiscard]] bool is_ignored(int signal) noexcept;
/// What children would have after all: CPUs, memory policy, personality, coredump filter, timer
/// slack, transparent huge pages, securebits. Answers what could not be shed: securebits that are
/// locked are EPERM.
struct Unshed {
    const char* what;
    int error;
};
[[nodiscard]] std::optional<Unshed> shed_inherited_state();

}  // namespace covey::sys
