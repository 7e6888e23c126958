#include "launch/sandbox_setup.hpp"

#include "base/fault.hpp"
#include "launch/context.hpp"
#include "launch/message.hpp"
#include "launch/nested.hpp"
#include "launch/sysctl.hpp"
#include "launch/user_namespace.hpp"
#include "spec/id_mappings.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/namespaces.hpp"
#include "sys/privileges.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace covey::launch {
namespace {

/// The files of UTS names are root's of the host alone (kernel/utsname_sysctl.c), the calls are
/// not.
std::map<std::string, std::string> without_domainname(const SandboxSetup& setup) {
    auto rest = setup.sysctls;
    if (!setup.user.valid()) return rest;
    for (const char* key : {"kernel.domainname", "kernel/domainname"})
        if (const auto found = rest.extract(key))
            sys::set_domainname(found.mapped()).or_throw("set domainname", found.mapped());
    for (const char* key : {"kernel.hostname", "kernel/hostname"})
        if (const auto found = rest.extract(key))
            sys::set_hostname(found.mapped()).or_throw("set hostname", found.mapped());
    return rest;
}

void prepare_namespaces(const SandboxSetup& setup) {
    fault_point("sandbox.namespaces");
    for (const auto& [file, flag] : setup.join)
        sys::set_namespace(file, flag).or_throw("join", "the namespace given by path");
    if (setup.own_uts) sys::set_hostname(setup.hostname).or_throw("set hostname", setup.hostname);
    if (setup.own_net) sys::bring_loopback_up().or_throw("bring up", "lo");
    apply_sysctls(without_domainname(setup));
}

/// A mount namespace with nothing in it but a procfs of this PID namespace, which launchers enter
/// for a moment to clone it. (Only a mount of one's own namespace can be cloned. It is not the
/// shim's: in a namespace of its own the shim would miss what is mounted on the host later.)
UniqueFd make_proc_keeper() {
    const auto context = sys::open_filesystem("proc").or_throw("open filesystem type", "proc");
    const auto proc = sys::finish_filesystem(context, 0).or_throw("create filesystem", "proc");
    sys::set_propagation_of_all(MS_SLAVE).or_throw("make slave", "mounts");
    sys::attach_at(proc, sys::kCwd, "/").or_throw("attach", "procfs");
    sys::pivot_into(proc).or_throw("pivot into", "procfs");
    auto keeper = sys::open("/self/ns/mnt", O_RDONLY).or_throw("open", "own mount namespace");
    sys::unshare(CLONE_NEWNS).or_throw("unshare", "mount namespace");
    return keeper;
}

/// For a parent that is outside this PID namespace: contexts of its procfs, the keeper last.
void send_proc_contexts(const SandboxSetup& setup) {
    if (!setup.keeps_proc) return;
    std::vector<UniqueFd> contexts;
    std::vector<FdRef> fds;
    for (int i = 0; i < setup.proc_contexts; ++i) {
        contexts.push_back(sys::open_filesystem("proc").or_throw("open filesystem type", "proc"));
        fds.push_back(contexts.back());
    }
    fds.push_back(contexts.emplace_back(make_proc_keeper()));
    sys::send_packet(setup.handshake, "C", fds).or_throw("send", "procfs contexts");
}

/// Nothing to find behind /proc/1/root: an empty read-only tmpfs, the host's root detached.
void enter_empty_root() {
    fault_point("sandbox.root");
    sys::set_propagation_of_all(MS_SLAVE).or_throw("make slave", "mounts");
    const auto context = sys::open_filesystem("tmpfs").or_throw("open filesystem type", "tmpfs");
    sys::configure(context, "size", "0").or_throw("configure", "tmpfs");
    sys::configure(context, "nr_inodes", "1").or_throw("configure", "tmpfs");
    sys::configure(context, "mode", "0555").or_throw("configure", "tmpfs");
    const auto root = sys::finish_filesystem(context, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                                                          MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
                          .or_throw("create filesystem", "tmpfs");
    sys::attach_at(root, sys::kCwd, "/").or_throw("attach", "empty root");
    sys::pivot_into(root).or_throw("pivot into", "empty root");
}

void drop_everything(const SandboxSetup& setup) {
    fault_point("sandbox.drop");
    const int keep[] = {setup.pause.get(), setup.handshake.get()};
    sys::close_all_except(keep).or_throw("close", "descriptors");
    sys::set_limit(RLIMIT_CORE, 0, 0).or_throw("set limit", "RLIMIT_CORE");
    sys::clear_ambient_set().or_throw("clear", "ambient capabilities");
    sys::limit_bounding_set(0).or_throw("drop", "bounding capabilities");
    // In a user namespace that forbids it they were dropped before it was entered.
    if (!setup.user.valid()) sys::set_groups({}).or_throw("set", "groups");
    sys::set_gid(setup.gid).or_throw("set", "gid");
    sys::set_uid(setup.uid).or_throw("set", "uid");
    sys::set_capabilities({}).or_throw("drop", "capabilities");
    sys::set_no_new_privs().or_throw("set", "no_new_privs");
    // The pod must not outlive its shim: nobody could stop it or tell its exit codes. After
    // set_uid, which clears it (prctl(2)).
    sys::set_parent_death_signal(SIGKILL).or_throw("set", "parent death signal");
}

/// Pause's id in a user namespace: the usual one, else the last that there is.
std::uint32_t pause_id(const IdMappings& maps) {
    std::uint32_t last = 0;
    for (const auto& map : maps)
        last = std::max(last, map.container_id + (map.size - 1));
    return spec::host_id(maps, kPauseId) ? kPauseId : last;
}

void clone_setup(SandboxSetup setup, std::uint64_t flags) {
    (void)sys::set_name("covey:launcher");
    sys::set_dumpable(false).or_throw("set", "dumpable");
    fault_point("sandbox.user");
    drop_groups();
    sys::set_namespace(setup.user, CLONE_NEWUSER).or_throw("join user namespace");
    const auto uids = read_id_map("/proc/self/uid_map"), gids = read_id_map("/proc/self/gid_map");
    if (!spec::host_id(uids, 0) || !spec::host_id(gids, 0))
        throw Error(Code::failed_precondition, "the user namespace maps no id 0")
            .with_fix(
                "a pod's root sets up its namespaces: give the user namespace a uid_map and a "
                "gid_map with 0 in them");
    become_root(0, 0);
    setup.uid = pause_id(uids);
    setup.gid = pause_id(gids);
    auto child = sys::clone_process({flags | CLONE_PARENT, 0, FdRef{-1}});
    if (!child && child.error() == ENOSPC)
        throw namespace_limit_error("use a user namespace that is nested less deeply");
    if (!child) throw Error::from_errno(child.error(), "clone", "pause");
    if (child.value().pid == 0) run_sandbox_setup(setup);
    fault_point("sandbox.told");
    const std::array fds{child.value().pidfd.ref()};
    sys::send_packet(setup.handshake, fmt::format("I{}", child.value().pid), fds)
        .or_throw("send", "pause's descriptor");
}

int run_as_pause(const SandboxSetup& setup) {
    (void)sys::set_name("covey:pause");
    sys::set_dumpable(false).or_throw("set", "dumpable");
    prepare_namespaces(setup);
    send_proc_contexts(setup);
    enter_empty_root();
    drop_everything(setup);
    // Not even the standard streams: what pause has not, nobody can steal from it.
    for (const int fd : {0, 1, 2})
        ::close(fd);
    send_failed(setup.handshake, Error::from_errno(sys::exec_fd(setup.pause, {"/pause"}, {}).value,
                                                   "exec", "pause"));
    return 1;
}

}  // namespace

void run_sandbox_setup(const SandboxSetup& setup) noexcept {
    try {
        ::_exit(run_as_pause(setup));
    } catch (const Error& error) {
        send_failed(setup.handshake, prefixed("sandbox set-up", error));
    } catch (const std::exception& error) {
        send_failed(setup.handshake,
                    Error(Code::internal, fmt::format("sandbox set-up: {}", error.what())));
    }
    ::_exit(1);
}

void run_sandbox_launcher(const SandboxSetup& setup, std::uint64_t flags) noexcept {
    try {
        clone_setup(setup, flags);
        ::_exit(0);
    } catch (const Error& error) {
        send_failed(setup.handshake, prefixed("sandbox launcher", error));
    } catch (const std::exception& error) {
        send_failed(setup.handshake,
                    Error(Code::internal, fmt::format("sandbox launcher: {}", error.what())));
    }
    ::_exit(1);
}

}  // namespace covey::launch
