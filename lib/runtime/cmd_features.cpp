// covey-runtime features: what this build and this kernel can do, as the specification's JSON.
#include "runtime/commands.hpp"
#include "runtime/features.hpp"

#include <cstdio>

namespace covey::runtime {
namespace {

int features(Invocation& call) {
    Flags flags;
    if (!call.parse(flags, 0, 0)) return 0;
    std::puts(describe_features().c_str());
    return 0;
}

}  // namespace

const Command kFeatures{"features", "", "print what can be asked for", features};

}  // namespace covey::runtime
