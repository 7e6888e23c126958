// `covey-shim --dump-plan BUNDLE [pod|container|node]`: what a launch would do, as JSON, doing
// nothing. Needs no privilege. Thread rule: single-threaded.
#pragma once

#include <string>

namespace covey::shim {

/// Prints to stdout. Returns the program's exit status; errors go to stderr with their fix.
int dump_plan(const std::string& bundle, const std::string& pid_mode);

}  // namespace covey::shim
