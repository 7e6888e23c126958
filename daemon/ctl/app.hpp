// The command line of covey: global options, choice of the command, errors and exit status.
// Called by main. Thread rule: one thread. Blocks as long as the command does.
#pragma once

#include <string>
#include <vector>

namespace covey::ctl {

/// `arguments` without the program's name. Answers the exit status; never throws.
[[nodiscard]] int run_app(std::vector<std::string> arguments) noexcept;

}  // namespace covey::ctl
