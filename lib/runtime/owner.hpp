// A user's name for people. Thread rule: single-threaded. Blocks as reading a file does.
#pragma once

#include <string>

#include <sys/types.h>

namespace covey::runtime {

/// From /etc/passwd itself, as a static program has no name services; else "#1000".
[[nodiscard]] std::string owner_name(uid_t uid);

}  // namespace covey::runtime
