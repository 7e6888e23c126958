// What operations are about, and which of them need the container's procfs.
#include "plan/sections.hpp"

#include <algorithm>

namespace covey::plan {
namespace {

struct Target {
    std::string_view operator()(const MountFilesystem& op) const { return op.target; }
    std::string_view operator()(const MountProc& op) const { return op.target; }
    std::string_view operator()(const MountCgroup& op) const { return op.target; }
    std::string_view operator()(const BindMount& op) const { return op.target; }
    std::string_view operator()(const Remount& op) const { return op.target; }
    std::string_view operator()(const ShowRoot& op) const { return op.target; }
    std::string_view operator()(const MakeDevice& op) const { return op.path; }
    std::string_view operator()(const MakeSymlink& op) const { return op.path; }
    std::string_view operator()(const BindConsole&) const { return "/dev/console"; }
    std::string_view operator()(const MaskPath& op) const { return op.path; }
    std::string_view operator()(const ReadonlyPath& op) const { return op.path; }
    std::string_view operator()(const ReadonlyRoot&) const { return "/"; }
};

}  // namespace

std::string_view target_of(const Operation& operation) {
    return std::visit(Target{}, operation);
}

bool lies_on_proc(const LaunchPlan& plan, const Operation& operation) {
    const auto target = target_of(operation);
    const auto* bind = std::get_if<BindMount>(&operation);
    const std::string_view source = bind != nullptr ? bind->inner_source : std::string_view{};
    return std::any_of(plan.operations.begin(), plan.operations.end(), [&](const auto& other) {
        const auto* proc = std::get_if<MountProc>(&other);
        return proc != nullptr && (is_within(target, proc->target) ||
                                   (!source.empty() && is_within(source, proc->target)));
    });
}

}  // namespace covey::plan
