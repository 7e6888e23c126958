// How a failed command speaks: one line, the remedy, with -v what led to it; and its exit status.
// Thread rule: pure functions. Do not block.
#pragma once

#include "covey/error.hpp"

#include <string>

namespace covey::ctl {

inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
/// `covey run` and `covey exec` failed themselves: no status of the program's is taken for it.
inline constexpr int kExitNotRun = 125;

/// "covey: <detail>\n  fix: <fix>\n"; `verbose` puts the code and a line for each cause in between.
[[nodiscard]] std::string error_report(const Error& error, bool verbose);
/// 2 when the request was wrong, else 1 (proto/errors.yaml).
[[nodiscard]] int exit_status(Code code) noexcept;

}  // namespace covey::ctl
