// Who is in the way of an end, for an error.
#include "cgroup/cgroup.hpp"
#include "cgroup/members.hpp"
#include "cgroup/turns.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <set>

namespace covey::cgroup {
namespace {

constexpr std::size_t kMostNamed = 3;

}  // namespace

std::string Group::survivors() const {
    if (!identity_) return {};
    std::set<pid_t> pids;
    bool unseen = false, has_more = false;
    std::size_t groups = 0;
    const auto until = TurnClock::now() + kTurn;
    for (auto walk = Walk::at(identity_); pids.size() <= kMostNamed && walk.next(); ++groups) {
        for (const pid_t pid : listed_processes(walk.here().group)) {
            unseen = unseen || pid == 0;
            if (pid != 0) pids.insert(pid);
        }
        has_more = TurnClock::now() >= until;
        if (has_more) break;
    }
    std::string text;
    std::size_t named = 0;
    for (const pid_t pid : pids) {
        if (named == kMostNamed) return text + ", and others";
        const auto one = describe_process(pid);
        if (one.empty()) continue;
        text += (named++ == 0 ? "" : "; ") + one;
    }
    if (unseen && text.empty()) return "a process outside this PID namespace";
    if (has_more && text.empty()) return fmt::format("nobody in the first {} groups of it", groups);
    return text.empty() ? "nobody who can be seen any more" : text;
}

Error not_empty(const Group& group, std::chrono::milliseconds limit) {
    return Error(Code::timeout, fmt::format("cgroup {} is not empty {} ms after SIGKILL: {}",
                                            group.path(), limit.count(), group.survivors()))
        .with_fix(
            "a process in state D waits in the kernel, often for a mount: try again when what it "
            "waits for answers");
}

}  // namespace covey::cgroup
