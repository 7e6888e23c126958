#include "launch/user_namespace.hpp"

#include "covey/error.hpp"
#include "spec/id_mappings.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/namespaces.hpp"
#include "sys/privileges.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

namespace covey::launch {
namespace {

/// The two kinds of ids, which have a file, a program and a capability each.
struct Kind {
    const char *file, *program;
    int capability;
};
constexpr Kind kUids{"uid_map", "newuidmap", CAP_SETUID};
constexpr Kind kGids{"gid_map", "newgidmap", CAP_SETGID};

/// A process in a new user namespace that waits for its end.
class Member {
  public:
    Member() {
        // The files of a process that is not dumpable are root's, also its uid_map (proc(5)): a
        // caller without privilege could not write its own. The member inherits it; it does nothing
        // and has nothing that this user does not have.
        const bool hidden = ::geteuid() != 0 && !sys::is_dumpable();
        if (hidden) (void)sys::set_dumpable(true);
        auto child = sys::clone_process({CLONE_NEWUSER, 0, FdRef{-1}});
        // In the parent alone: the member must stay as it was born.
        if (hidden && (!child || child.value().pid != 0)) (void)sys::set_dumpable(false);
        if (!child)
            throw Error::from_errno(child.error(), "create", "user namespace")
                .with_fix(
                    "the kernel must allow one more: see user.max_user_namespaces and "
                    "kernel.unprivileged_userns_clone");
        if (child.value().pid == 0) wait_for_end();
        pidfd_ = std::move(child.value().pidfd);
        pid_ = child.value().pid;
        const auto path = fmt::format("/proc/{}", pid_);
        proc_ = sys::open_dir(path).or_throw("open", path);
    }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    ~Member() {
        (void)sys::pidfd_send_signal(pidfd_, SIGKILL);
        (void)sys::wait_process(pidfd_);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] FdRef proc() const { return proc_; }

  private:
    [[noreturn]] static void wait_for_end() {
        (void)sys::set_parent_death_signal(SIGKILL);
        while (true)
            ::pause();
    }
    UniqueFd pidfd_, proc_;
    pid_t pid_ = 0;
};

bool may_map(const Kind& kind) {
    const auto masks = sys::get_capabilities().or_throw("read", "capabilities");
    return (masks.effective >> static_cast<unsigned>(kind.capability) & 1U) != 0;
}

bool is_own_id(const IdMappings& maps, std::uint32_t own) {
    return maps.size() == 1 && maps.front().size == 1 && maps.front().host_id == own;
}

void write_map(const Member& member, const Kind& kind, const IdMappings& maps) {
    std::string text;
    for (const auto& map : maps)
        text += fmt::format("{} {} {}\n", map.container_id, map.host_id, map.size);
    const auto written = sys::write_existing_at(member.proc(), kind.file, text);
    if (written) return;
    throw Error::from_errno(written.error(), "write", kind.file)
        .with_fix("every host id of the mapping must exist in the runtime's own user namespace");
}

UniqueFd find_helper(const char* name) {
    for (const char* folder : {"/usr/bin/", "/bin/", "/usr/local/bin/"})
        if (auto file = sys::open(std::string{folder} + name, O_PATH); file)
            return std::move(file).value();
    throw Error(Code::permission_denied,
                fmt::format("mapping other ids than one's own needs {}", name))
        .with_fix("install the package uidmap, or run with the privilege to map ids");
}

void run_map_helper(const Member& member, const Kind& kind, const IdMappings& maps) {
    const auto program = find_helper(kind.program);
    sys::SpawnArguments arguments;
    arguments.program = program;
    arguments.args = {kind.program, std::to_string(member.pid())};
    for (const auto& map : maps)
        for (const auto number : {map.container_id, map.host_id, map.size})
            arguments.args.push_back(std::to_string(number));
    const auto child = sys::spawn(arguments).or_throw("run", kind.program);
    const auto status = sys::wait_process(child.pidfd).or_throw("wait for", kind.program);
    if (status.code != 0)
        throw Error(Code::permission_denied, fmt::format("{} refused the mapping (exit status {})",
                                                         kind.program, status.code))
            .with_fix("the host ids must be this user's in /etc/subuid and /etc/subgid");
}

void map_ids(const Member& member, const Kind& kind, const IdMappings& maps, std::uint32_t own) {
    const bool privileged = may_map(kind);
    if (!privileged && !is_own_id(maps, own)) return run_map_helper(member, kind, maps);
    // user_namespaces(7): without privilege a gid_map is only taken when groups can no longer be
    // dropped, for some files deny a group what they allow everybody.
    if (!privileged && kind.capability == CAP_SETGID)
        sys::write_existing_at(member.proc(), "setgroups", "deny").or_throw("write", "setgroups");
    write_map(member, kind, maps);
}

void check_map(const char* path, const IdMappings& wanted) {
    if (wanted.empty()) return;
    if (!spec::same_mappings(read_id_map(path), wanted))
        throw Error(Code::invalid_spec, "the user namespace to join has another id mapping")
            .with_fix("leave linux.uidMappings and gidMappings out when its path is given");
}

}  // namespace

UniqueFd make_user_namespace(const IdMappings& uids, const IdMappings& gids) {
    const Member member;
    map_ids(member, kUids, uids, ::geteuid());
    map_ids(member, kGids, gids, ::getegid());
    return sys::open_at(member.proc(), "ns/user", O_RDONLY).or_throw("open", "user namespace");
}

IdMappings read_id_map(const std::string& path) {
    return spec::parse_id_map(sys::read_file(path).or_throw("read", path));
}

void drop_groups() {
    // EPERM: an unprivileged caller keeps the groups that it has anyway.
    if (const auto dropped = sys::set_groups({}); !dropped && dropped.error() != EPERM)
        dropped.or_throw("drop", "additional groups");
}

void enter_user_namespace(FdRef name_space, uid_t uid, gid_t gid) {
    drop_groups();
    sys::set_namespace(name_space, CLONE_NEWUSER).or_throw("join user namespace");
    become_root(uid, gid);
}

void become_root(uid_t uid, gid_t gid) {
    const auto become = [](Result<void> (*set)(std::uint32_t), std::uint32_t other,
                           const char* what) {
        const auto root = set(0);
        if (!root && root.error() == EINVAL)
            set(other).or_throw(what, std::to_string(other));
        else
            root.or_throw(what, "0 of the user namespace");
    };
    become(sys::set_gid, gid, "become gid");
    become(sys::set_uid, uid, "become uid");
}

void check_id_maps(const IdMappings& uids, const IdMappings& gids) {
    check_map("/proc/self/uid_map", uids);
    check_map("/proc/self/gid_map", gids);
}

}  // namespace covey::launch
