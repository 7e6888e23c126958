#include "shim/strangers.hpp"

#include "base/fault.hpp"
#include "covey/error.hpp"
#include "launch/sources.hpp"
#include "sys/file.hpp"
#include "sys/mount.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include <unistd.h>

namespace covey::shim {

void Strangers::freeze() {
    constexpr int kMostRounds = 16;
    fault_point("container.freeze_strangers");
    if (!proc_) proc_ = open_proc();
    const auto host_proc = sys::open_proc().or_throw("open", "/proc");
    frozen_ = std::make_unique<cgroup::FrozenGroups>(
        host_, std::vector{cgroup::identity_of(host_, host_proc, ::getpid())});
    try {
        // Again until nobody new is found: who ran meanwhile may have forked or joined.
        for (int round = 0; freeze_round(); ++round)
            if (round == kMostRounds)
                throw Error(Code::timeout, "the pod's processes keep coming in new cgroups")
                    .with_fix("try again when what another runtime does in the pod is over");
    } catch (...) {
        thaw();
        throw;
    }
}

bool Strangers::freeze_round() {
    const auto own = own_();
    const auto known = own_numbers(own);
    const auto pause = sandbox_.facts().cgroup + "/pause";
    bool grew = false;
    for (const auto number : sys::list_processes(proc_).or_throw("list", "the pod's processes")) {
        if (std::binary_search(known.begin(), known.end(), number)) continue;
        const auto group = cgroup::identity_of(host_, proc_, number);
        if (group.empty() || cgroup::is_in_group(group, pause) ||
            std::any_of(own.begin(), own.end(),
                        [&](const auto* mine) { return cgroup::is_in_group(group, mine->path()); }))
            continue;
        grew = frozen_->freeze(group, fmt::format("process {} (its number in the pod)", number)) ||
               grew;
    }
    return grew;
}

UniqueFd Strangers::open_proc() const {
    const auto namespaces = sandbox_.namespaces();
    if (namespaces.proc_keeper.valid())
        return launch::clone_root_of(namespaces.proc_keeper, sys::Recursive::no)
            .or_throw("clone", "the pod's procfs");
    const auto context = sys::open_filesystem("proc").or_throw("open filesystem type", "proc");
    sys::configure_fd(context, "pidns", namespaces.pid).or_throw("set option", "pidns");
    return sys::finish_filesystem(context, 0).or_throw("create filesystem", "proc");
}

std::vector<pid_t> Strangers::own_numbers(const std::vector<const cgroup::Group*>& own) const {
    std::vector<pid_t> numbers;
    for (const auto* group : own)
        for (const auto pid : group->processes())
            if (const auto number = sys::number_in(sandbox_.namespaces().pid, pid))
                numbers.push_back(number.value());
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

}  // namespace covey::shim
