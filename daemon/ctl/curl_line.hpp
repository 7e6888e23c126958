// The curl command that makes the same call: what --curl prints instead of calling.
// Thread rule: a pure function. Does not block.
#pragma once

#include "ctl/client.hpp"

#include <string>

namespace covey::ctl {

/// One line, quoted for a POSIX shell.
[[nodiscard]] std::string curl_line(const std::string& socket_path, const Request& request);

}  // namespace covey::ctl
