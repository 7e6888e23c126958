#include "shim/strangers.hpp"

#include "base/fault.hpp"
#include "launch/sources.hpp"
#include "sys/mount.hpp"

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

}  // namespace

std::unique_ptr<task::Members> strangers_of(
    const cgroup::Host& host, const Sandbox& sandbox,
    std::function<std::vector<const cgroup::Group*>()> own) {
    fault_point("container.freeze_strangers");
    auto judge = [&host, pause = sandbox.facts().cgroup + "/pause", own = std::move(own)](
                     FdRef proc, pid_t pid) -> std::optional<task::Members::Found> {
        const auto group = cgroup::identity_of(host, proc, pid);
        if (group.empty() || cgroup::is_in_group(group, pause)) return std::nullopt;
        const auto groups = own();
        if (std::any_of(groups.begin(), groups.end(),
                        [&](const auto* one) { return cgroup::is_in_group(group, one->path()); }))
            return std::nullopt;
        if (!task::is_in_own_user_namespace(proc, pid)) return std::nullopt;
        return task::Members::Found{group, fmt::format("process {} (its number in the pod)", pid)};
    };
    return std::make_unique<task::Members>(open_pod_proc(sandbox), std::move(judge));
}

}  // namespace covey::shim
