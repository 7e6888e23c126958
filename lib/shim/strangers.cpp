#include "shim/strangers.hpp"

#include "base/fault.hpp"
#include "launch/sources.hpp"
#include "sys/mount.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace covey::shim {
namespace {

UniqueFd open_pod_proc(const Sandbox& sandbox) {
    const auto namespaces = sandbox.namespaces();
    if (namespaces.proc_keeper.valid())
        return launch::clone_root_of(namespaces.proc_keeper, sys::Recursive::no)
            .or_throw("clone", "the pod's procfs");
    const auto context = sys::open_filesystem("proc").or_throw("open filesystem type", "proc");
    sys::configure_fd(context, "pidns", namespaces.pid).or_throw("set option", "pidns");
    return sys::finish_filesystem(context, 0).or_throw("create filesystem", "proc");
}

using Groups = std::function<std::vector<const cgroup::Group*>()>;

bool is_in_one_of(const Groups& groups, const std::string& group) {
    const auto all = groups();
    return std::any_of(all.begin(), all.end(),
                       [&](const auto* one) { return cgroup::is_in_group(group, one->path()); });
}

/// In the pod's own namespace, not in one below it: it sees who stands still there.
bool sees_the_pod(FdRef proc, pid_t pid) {
    const auto status = sys::read_status(proc, pid);
    return status && status.value().ns_pids.size() == 1;
}

}  // namespace

std::unique_ptr<task::Members> strangers_of(const cgroup::Host& host, const Sandbox& sandbox,
                                            Groups held, Groups others, Groups movers,
                                            bool can_be_left) {
    fault_point("container.freeze_strangers");
    auto judge = [&host, pause = sandbox.facts().cgroup + "/pause", held = std::move(held),
                  others = std::move(others), movers = std::move(movers),
                  can_be_left](FdRef proc, pid_t pid) -> std::optional<task::Members::Found> {
        const auto group = cgroup::identity_of(host, proc, pid);
        if (group.empty() || sys::is_ending(proc, pid) || is_in_one_of(held, group))
            return std::nullopt;
        if (cgroup::is_in_group(group, pause) && pid == 1) return std::nullopt;
        // In a container that could not reach: its own processes have not what that takes; one that
        // has come from elsewhere may.
        const bool moves = can_be_left && is_in_one_of(movers, group) && sees_the_pod(proc, pid);
        if (is_in_one_of(others, group) && !moves && !task::could_reach(proc, pid))
            return std::nullopt;
        if (!can_be_left && !task::is_in_own_user_namespace(proc, pid)) return std::nullopt;
        return task::Members::Found{group, fmt::format("process {} (its number in the pod)", pid)};
    };
    return std::make_unique<task::Members>(open_pod_proc(sandbox), std::move(judge));
}

}  // namespace covey::shim
