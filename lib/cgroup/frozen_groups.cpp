#include "cgroup/frozen_groups.hpp"

#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace covey::cgroup {

bool FrozenGroups::freeze(const std::string& group, const std::string& member) {
    const bool is_unseen = group.starts_with("/..");  // outside what the mount shows
    if (is_unseen || std::any_of(spared_.begin(), spared_.end(),
                                 [&](const auto& spared) { return is_in_group(spared, group); }))
        throw Error(Code::failed_precondition,
                    fmt::format("pid mode nested: {} of the pod is in cgroup {}, which cannot "
                                "stand still for the launch",
                                member, group))
            .with_fix(
                "run what is in the pod in cgroups of its own, or use pid mode pod or container");
    try {
        auto opened = Group::open(host_, Placement{group});
        if (opened.is_frozen()) return false;
        // First on the list: one that did not stop in time is thawed as well.
        frozen_.push_back(std::move(opened));
        frozen_.back().freeze();
        return true;
    } catch (const Error& error) {
        if (error.code() != Code::not_found) throw;
        return false;  // a zombie's
    }
}

void FrozenGroups::thaw() noexcept {
    for (const auto& group : frozen_)
        try {
            group.thaw();
        } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
            // The next one must go on all the same.
        }
    frozen_.clear();
}

}  // namespace covey::cgroup
