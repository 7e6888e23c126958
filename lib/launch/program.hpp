// Which file an argv[0] means inside the container. Called by the launcher, in the container's root
// but before privileges are cut, so that a wrong name fails the create. Thread rule:
// single-threaded.
#pragma once

#include "base/unique_fd.hpp"

#include <string>
#include <vector>

namespace covey::launch {

/// The path to execute: args[0] itself if it has a slash (below `cwd` if relative), else the first
/// match in PATH of `env`. Throws not_found "executable file not found in $PATH" or
/// permission_denied.
[[nodiscard]] std::string find_program(FdRef root, const std::vector<std::string>& args,
                                       const std::vector<std::string>& env, const std::string& cwd);

}  // namespace covey::launch
