#include "launch/namespaces.hpp"

#include "covey/error.hpp"
#include "launch/sysctl.hpp"
#include "launch/user_namespace.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/namespaces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include <fcntl.h>

namespace covey::launch {
namespace {

using spec::NamespaceType;
using Source = plan::NamespacePlan::Source;

UniqueFd open_namespace_file(NamespaceType type, const std::string& path) {
    const auto& info = spec::info(type);
    // Not blocking: a FIFO may stand there.
    auto file = sys::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
                    .or_throw(fmt::format("open {} namespace", info.oci_name), path);
    const auto kind = sys::namespace_type(file);
    if (!kind || kind.value() != info.clone_flag)
        throw Error(Code::invalid_spec,
                    fmt::format("{} is not a {} namespace", path, info.oci_name))
            .with_fix("linux.namespaces[].path must be an nsfs file of the entry's type");
    return file;
}

sys::NamespaceId id_of(FdRef file, const std::string& path) {
    return sys::namespace_id(file).or_throw("stat", path);
}

bool is_own(NamespaceType type, FdRef file) {
    const auto path = fmt::format("/proc/self/ns/{}", spec::info(type).proc_name);
    const auto own = sys::open(path, O_RDONLY).or_throw("open", path);
    return id_of(own, path) == id_of(file, "namespace");
}

/// The kernel counts namespaces for the owner of their user namespace: whatever container of an
/// equal owner may have had the last one.
void make_namespaces(std::uint64_t flags, const char* what) {
    const auto done = sys::unshare(flags);
    if (!done && done.error() == ENOSPC)
        throw Error(Code::resource_exhausted,
                    fmt::format("no {} left for this user: /proc/sys/user/max_*_namespaces", what))
            .with_fix(
                "find out with lsns who has them, raise user.max_uts_namespaces and its like, or "
                "give pods that are not trusted a user namespace of their own");
    done.or_throw("unshare", what);
}

}  // namespace

Namespaces::Namespaces(const plan::LaunchPlan& plan, const PodNamespaces& pod)
    : plan_(plan), pod_(pod) {
}

void Namespaces::open() {
    check_sandbox();
    for (const auto& entry : plan_.namespaces)
        if (entry.source == Source::path) open_path(entry);
    // Opened with the caller's privileges, which the kernel looks at when it is written: in a user
    // namespace the file is not ours to open.
    if (!plan_.time_offsets.empty())
        time_offsets_ = sys::open("/proc/self/timens_offsets", O_WRONLY)
                            .or_throw("open", "/proc/self/timens_offsets");
    if (creates(NamespaceType::user))
        user_ = make_user_namespace(plan_.uid_mappings, plan_.gid_mappings);
    if (has(NamespaceType::user, Source::sandbox))
        user_ = sys::duplicate(pod_.user).or_throw("dup", "the sandbox's user namespace");
}

void Namespaces::check_sandbox() const {
    for (const auto& entry : plan_.must_match_sandbox) {
        const auto file = open_namespace_file(entry.type, entry.path);
        // By (device, inode): the same namespace has many paths.
        const auto theirs = pod(entry.type);
        if (!theirs.valid() || id_of(file, entry.path) != id_of(theirs, "pod namespace"))
            throw Error(Code::invalid_spec,
                        fmt::format("{} is not the sandbox's {} namespace", entry.path,
                                    spec::info(entry.type).oci_name))
                .with_fix("leave the path out: the sandbox decides its namespaces");
    }
}

void Namespaces::open_path(const plan::NamespacePlan& entry) {
    auto file = open_namespace_file(entry.type, entry.path);
    const bool own = is_own(entry.type, file);
    // pivot_root(2) moves every process of the namespace that stands on the old root.
    if (own && entry.type == NamespaceType::mount)
        throw Error(Code::invalid_spec,
                    fmt::format("{} is the runtime's own mount namespace", entry.path))
            .with_fix("name another one, or leave the path out for a new one");
    if (entry.type == NamespaceType::user) {
        // Joining one's own is EINVAL.
        if (!own) user_ = std::move(file);
        return;
    }
    joined_.push_back({entry.type, std::move(file), own});
}

FdRef Namespaces::pod(NamespaceType type) const {
    switch (type) {
        case NamespaceType::pid:
            return pod_.pid;
        case NamespaceType::network:
            return pod_.net;
        case NamespaceType::ipc:
            return pod_.ipc;
        case NamespaceType::uts:
            return pod_.uts;
        case NamespaceType::time:
            return pod_.time;
        case NamespaceType::user:
            return pod_.user;
        case NamespaceType::mount:
        case NamespaceType::cgroup:
            break;
    }
    return FdRef{-1};
}

const Namespaces::Joined* Namespaces::joined(NamespaceType type) const {
    const auto found = std::find_if(joined_.begin(), joined_.end(),
                                    [&](const auto& entry) { return entry.type == type; });
    return found == joined_.end() ? nullptr : &*found;
}

bool Namespaces::has(NamespaceType type, Source source) const {
    return std::any_of(plan_.namespaces.begin(), plan_.namespaces.end(), [&](const auto& entry) {
        return entry.type == type && entry.source == source;
    });
}

bool Namespaces::join(NamespaceType type, bool may_wait) const {
    const auto& info = spec::info(type);
    const auto* by_path = joined(type);
    const FdRef file = by_path != nullptr ? by_path->file.ref() : pod(type);
    if (!file.valid()) return true;
    const auto done = sys::set_namespace(file, info.clone_flag);
    if (!done && done.error() == EPERM && may_wait) return false;
    done.or_throw(by_path != nullptr ? "join namespace" : "join the sandbox's namespace",
                  info.oci_name);
    return true;
}

bool Namespaces::has_user() const {
    return user_.valid();
}

void Namespaces::enter_user() {
    enter_user_namespace(user_, plan_.process.uid, plan_.process.gid);
    user_.reset();
    if (has(NamespaceType::user, Source::path))
        check_id_maps(plan_.uid_mappings, plan_.gid_mappings);
}

void Namespaces::enter_user_early() {
    enter_user();
    make_namespaces(CLONE_NEWNS, "mount namespace");
    sys::set_propagation_of_all(MS_SLAVE).or_throw("make slave", "mounts");
}

void Namespaces::enter() {
    std::uint64_t created = 0;
    std::vector<NamespaceType> waiting;
    for (const auto& entry : plan_.namespaces) {
        // The PID namespace comes last, and only for children; the mount namespace when all that
        // needs the host's /proc is done; the user namespace between what belongs to the caller's
        // and what belongs to it.
        if (entry.type == NamespaceType::pid || entry.type == NamespaceType::mount ||
            entry.type == NamespaceType::user)
            continue;
        if (entry.source == Source::create)
            created |= spec::info(entry.type).clone_flag;
        else if (!join(entry.type, has_user()))
            waiting.push_back(entry.type);
    }
    if (has_user()) enter_user();
    for (const auto type : waiting)
        (void)join(type, false);
    if (created != 0) make_namespaces(created, "namespaces");
    set_time_offsets();
    set_up();
    enter_mount();
}

void Namespaces::set_time_offsets() {
    if (!time_offsets_) return;
    std::string text;
    for (const auto& offset : plan_.time_offsets)
        text += fmt::format("{} {} {}\n", offset.clock, offset.seconds, offset.nanoseconds);
    const auto written = sys::write_all(time_offsets_, text);
    if (!written && written.error() == ERANGE)
        throw Error(Code::invalid_spec, "a clock would be below zero or overflow")
            .with_fix(
                "linux.timeOffsets: no clock may be moved before the boot or above 146 years");
    written.or_throw("write", "timens_offsets");
    time_offsets_.reset();
}

void Namespaces::set_up() const {
    // As runc does it: a new network namespace has "lo", down.
    if (creates(NamespaceType::network)) sys::bring_loopback_up().or_throw("bring up", "lo");
    const auto* uts = joined(NamespaceType::uts);
    if ((plan_.hostname || plan_.domainname) && uts != nullptr && uts->is_own)
        throw Error(Code::invalid_spec, "the hostname is not allowed in the hosts uts namespace")
            .with_fix("remove hostname and domainname, or leave the namespace's path out");
    if (plan_.hostname)
        sys::set_hostname(*plan_.hostname).or_throw("set hostname", *plan_.hostname);
    if (plan_.domainname)
        sys::set_domainname(*plan_.domainname).or_throw("set domainname", *plan_.domainname);
    for (const auto& [key, value] : plan_.sysctls)
        for (const auto& entry : joined_)
            if (entry.is_own && spec::info(entry.type).proc_name == sysctl_namespace(key))
                throw Error(Code::invalid_spec,
                            fmt::format("sysctl \"{}\" is not allowed in the hosts {} namespace",
                                        key, spec::info(entry.type).oci_name))
                    .with_fix("remove it, or leave the namespace's path out for a new one");
    apply_sysctls({plan_.sysctls.begin(), plan_.sysctls.end()});
}

void Namespaces::enter_mount() const {
    if (const auto* by_path = joined(NamespaceType::mount); by_path != nullptr)
        sys::set_namespace(by_path->file, CLONE_NEWNS).or_throw("join mount namespace");
    else
        make_namespaces(CLONE_NEWNS, "mount namespace");
    // A slave of the host until the pivot: its unmounts must still reach us, ours must not reach
    // it.
    sys::set_propagation_of_all(MS_SLAVE).or_throw("make slave", "mounts");
}

FdRef Namespaces::pid() const {
    if (plan_.pid_mode == spec::PidMode::target) return pod_.target;
    if (plan_.pid_mode != spec::PidMode::pod && plan_.pid_mode != spec::PidMode::nested)
        return FdRef{-1};
    const auto* by_path = joined(NamespaceType::pid);
    return by_path != nullptr ? by_path->file.ref() : pod_.pid;
}

void Namespaces::enter_pid() const {
    if (pid().valid()) sys::set_namespace(pid(), CLONE_NEWPID).or_throw("join pid namespace");
}

void Namespaces::close() {
    std::erase_if(joined_, [](const auto& entry) { return entry.type != NamespaceType::pid; });
}

}  // namespace covey::launch
