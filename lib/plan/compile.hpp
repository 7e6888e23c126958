// Spec + request → plan. One file for each section of the spec does the work (namespaces, rootfs,
// mounts, devices, identity, seccomp); this is the only entrance. What Covey does not act on yet is
// refused by name with its JSON pointer (Code::invalid_spec, all at once), never ignored.
// Thread rule: pure functions. Do not block; read no file but the seccomp cache.
#pragma once

#include "plan/plan.hpp"
#include "spec/types.hpp"

namespace covey::plan {

/// Folder of compiled seccomp filters by profile digest, or "" for no cache. A bad or foreign entry
/// is compiled anew, never trusted: owner, mode and length are checked.
struct CompileOptions {
    std::string seccomp_cache;
};

/// Throws spec::SpecError.
[[nodiscard]] LaunchPlan compile(const spec::Spec& spec, const LaunchRequest& request,
                                 const CompileOptions& options);
/// The process of an exec into a container that was made from `spec` with `request`.
[[nodiscard]] ProcessPlan compile_exec(const spec::Spec& spec, const LaunchRequest& request,
                                       const ExecRequest& exec, const CompileOptions& options);

}  // namespace covey::plan
