#include "launch/access.hpp"

#include "base/fault.hpp"
#include "launch/message.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/landlock.hpp"
#include "sys/namespaces.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include <unistd.h>

namespace covey::launch {
namespace {

/// A process has a number in its own PID namespace and in those around it. The kernel tells the
/// parent of a namespace to those alone who are in the parent or around it: then the namespace is
/// strictly below the caller's own.
bool is_below_own(FdRef pid_namespace) {
    const auto parent = sys::parent_namespace(pid_namespace);
    if (!parent && parent.error() != EPERM)
        throw Error::from_errno(parent.error(), "ask for the parent of", "PID namespace");
    return parent.has_value();
}

/// Capabilities count between the processes of one domain, and the spawner has them all.
void refuse_helpers_in_sight(spec::PidMode mode, FdRef pid_namespace) {
    if (mode == spec::PidMode::nested || mode == spec::PidMode::container) return;
    if (pid_namespace.valid() && is_below_own(pid_namespace)) return;
    throw Error(Code::invalid_argument,
                fmt::format("restricted access cannot be kept in pid mode {}: the container's PID "
                            "namespace is the host's, so it would see the process that starts its "
                            "execs, which has the host's rights",
                            spec::pid_mode_name(mode)))
        .with_fix("use pid mode nested, pod or container, or access open");
}

}  // namespace

std::uint64_t domain_scope(spec::PidMode mode, const spec::Access& access, FdRef pid_namespace,
                           std::vector<std::string>& warnings) {
    if (!access.is_restricted()) return 0;
    refuse_helpers_in_sight(mode, pid_namespace);
    const auto abi = sys::landlock_abi();
    if (abi && abi.value() >= sys::kLandlockScopeAbi) {
        if (access.signal == spec::Reach::own) return sys::kScopeSignal;
        // A domain must hold something back besides inspection.
        warnings.emplace_back(
            "access: the container cannot connect to abstract Unix sockets of its neighbours, "
            "which is what a domain that lets signals pass costs");
        return sys::kScopeAbstractSocket;
    }
    const bool alone = mode == spec::PidMode::nested || mode == spec::PidMode::container;
    // In a PID namespace of its own there are no neighbours, and no number of one; a pidfd of one
    // (Linux 6.5) could still be had from a socket.
    if (alone && !sys::has_peer_pidfd()) return 0;
    throw Error(Code::unsupported_by_host,
                fmt::format("restricted access in pid mode {} needs a Landlock domain that scopes "
                            "signals (ABI 6, Linux 6.12), and this kernel has {}",
                            spec::pid_mode_name(mode),
                            abi ? fmt::format("ABI {}", abi.value()) : std::string{"no Landlock"}))
        .with_fix(alone ? "use Linux 6.12 with landlock in lsm="
                        : "use pid mode nested, where neighbours are out of reach by themselves, "
                          "or Linux 6.12 with landlock in lsm=");
}

void enter_domain(std::uint64_t scope, const SpawnerInput& spawner, FdRef channel) {
    fault_point("launch.domain");
    sys::restrict_scope(scope).or_throw("enter", "Landlock domain");
    if (!spawner.run) return;
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    auto child = sys::clone_process({CLONE_PARENT, 0, spawner.cgroup}).or_throw("clone", "spawner");
    if (child.pid == 0) {
        spawner.run(sockets.child);
        ::_exit(1);
    }
    send_spawner(channel, child.pid, sockets.parent);
}

}  // namespace covey::launch
