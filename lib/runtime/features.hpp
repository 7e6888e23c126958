// What can be asked for: features.md of the specification. What the kernel lacks is not listed.
// Thread rule: single-threaded. Blocks as probing does.
#pragma once

#include <string>

namespace covey::runtime {

[[nodiscard]] std::string describe_features();

}  // namespace covey::runtime
