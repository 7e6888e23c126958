// A plan as JSON, for --dump-plan and golden files: flags and capabilities by name, operations in
// order with their numbers (errors quote them: "mount op 7"). Thread rule: pure functions.
#pragma once

#include "plan/plan.hpp"

#include <string>

namespace covey::plan {

/// Two-space indented, keys in a fixed order, newline at the end.
[[nodiscard]] std::string dump(const LaunchPlan& plan);

}  // namespace covey::plan
