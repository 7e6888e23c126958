#include "runtime/own_group.hpp"

#include "base/fault.hpp"
#include "cgroup/oci_group.hpp"
#include "covey/error.hpp"
#include "launch/message.hpp"
#include "plan/resources.hpp"
#include "runtime/group_parents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace covey::runtime {
namespace {

/// Which limits are a controller's of the v2 tree.
cgroup::NeedsV2 needs_v2(const std::optional<spec::Resources>& resources,
                         const cgroup::Host& host) {
    if (!resources) return cgroup::NeedsV2::no;
    const auto offers = [&host](const char* name) {
        const auto& all = host.unified_controllers;
        return std::find(all.begin(), all.end(), name) != all.end();
    };
    const bool needs =
        !resources->unified.empty() || (!resources->hugepage_limits.empty() && offers("hugetlb")) ||
        (!resources->rdma.empty() && offers("rdma")) || (resources->memory && offers("memory")) ||
        (resources->cpu && (offers("cpu") || offers("cpuset"))) ||
        (resources->pids_limit && offers("pids")) || (resources->block_io && offers("io"));
    return needs ? cgroup::NeedsV2::yes : cgroup::NeedsV2::no;
}

}  // namespace

void OwnGroup::choose(bool restricted) {
    host_.emplace(cgroup::detect());
    if (record_.systemd_cgroup)
        choose_scope(restricted);
    else
        choose_placement();
}

void OwnGroup::choose_placement() {
    const auto& path = spec_.linux.cgroups_path;
    record_.cgroup =
        cgroup::resolve_path(path, record_.id, *host_, needs_v2(spec_.linux.resources, *host_));
    // An absolute one is the engine's own, with all above it.
    if (!path.starts_with('/') && path.find('/') != std::string::npos)
        record_.made_parents = own_parents(*host_, record_.cgroup, store_);
}

void OwnGroup::choose_scope(bool restricted) {
    scope_.emplace(spec_, record_.id, *host_);
    // The spawner is forked in the scope and would stay in its v1 groups.
    if (restricted && host_->layout != cgroup::Layout::v2)
        throw Error(Code::unsupported_by_host,
                    fmt::format("annotation covey.dev/access with --systemd-cgroup needs cgroup v2 "
                                "alone, and this host is {}",
                                cgroup::layout_name(host_->layout)))
            .with_fix("leave --systemd-cgroup away, or the annotation");
}

void OwnGroup::make(bool nests) {
    if (host_ && !scope_) {
        const auto rights = ::geteuid() == 0 ? cgroup::Rights::root : cgroup::Rights::rootless;
        cgroup::Limits limits;
        // The launcher reads them again; here it is asked only whether there are any.
        if (const auto& resources = spec_.linux.resources;
            resources && rights == cgroup::Rights::rootless)
            limits = plan::limits_of(*resources, plan::LimitsFor::new_group).limits;
        group_ = cgroup::make_container_group(*host_, record_.cgroup, rights, limits);
        if (!group_) {
            // A rootless container that may do without.
            host_.reset();
            record_.cgroup = {};
            folder_.write(record_);
        }
        fault_point("runtime.cgroup");
    }
    if (!nests || host_) return;
    // By it a newborn with all privileges is found and ended, whatever becomes of this command.
    throw Error(Code::failed_precondition,
                "pid mode nested: the container has no cgroup of its own (cgroups are disabled, or "
                "this user may not make one)")
        .with_fix("create it with cgroups, or with annotation covey.dev/pid=pod or container");
}

void OwnGroup::prepare_scope() {
    if (scope_) scope_gate_ = sys::make_pipe().or_throw("pipe", "launcher");
}

/// The end without a word is that of the command: then there is nothing to do, and an empty scope
/// ends by itself.
void OwnGroup::await_scope(FdRef channel) {
    if (!scope_) return;
    scope_gate_.write.reset();
    const auto path = sys::read_all(scope_gate_.read, PATH_MAX);
    if (!path || path.value().empty()) ::_exit(1);
    record_.cgroup = cgroup::Placement{path.value()};
    // systemd has put this process into the scope itself. A v2 group passes nothing on while it has
    // processes.
    try {
        cgroup::Group::open(*host_, record_.cgroup).join(cgroup::Group::Identity::move);
    } catch (const Error& error) {
        launch::send_failed(channel, error);
        ::_exit(1);
    }
}

void OwnGroup::make_scope(pid_t launcher) {
    if (!scope_) return;
    // Said or not: with its end the launcher goes on, or ends.
    const auto gate = std::move(scope_gate_.write);
    scope_->start(launcher, record_);
    // systemd has made its own by now.
    record_.made_parents = own_parents(*host_, record_.cgroup, store_);
    folder_.write(record_);
    group_ = cgroup::Group::complete_scope(*host_, record_.cgroup, launcher);
    fault_point("runtime.cgroup");
    sys::write_all(gate, record_.cgroup.path).or_throw("write to", "launcher");
}

void OwnGroup::lower_tasks() {
    const auto& resources = spec_.linux.resources;
    if (!group_ || !resources) return;
    cgroup::Limits limits;
    limits.pids_max = plan::limits_of(*resources, plan::LimitsFor::new_group).limits.pids_max;
    if (limits.pids_max && *limits.pids_max < kLaunchTasks) group_->apply(limits);
}

}  // namespace covey::runtime
