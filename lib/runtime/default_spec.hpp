// The configuration that `spec` writes: what runc's `spec` gives. Thread rule: pure functions. Do
// not block.
#pragma once

#include <string>

namespace covey::runtime {

/// `rootless`: with a user namespace that maps the caller to root, and without what needs more.
[[nodiscard]] std::string default_spec(bool rootless);

}  // namespace covey::runtime
