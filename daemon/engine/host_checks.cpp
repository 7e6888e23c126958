#include "engine/host_checks.hpp"

#include "base/id.hpp"
#include "base/text.hpp"
#include "cgroup/unmounted.hpp"
#include "engine/id_blocks.hpp"
#include "sys/file.hpp"
#include "sys/landlock.hpp"
#include "sys/mount.hpp"
#include "sys/privileges.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace covey::daemon {
namespace {

using Status = HostCheck::Status;

constexpr std::uint64_t kWantedFiles = 65'536;
constexpr int kScopeAbi = 6;

HostCheck check(const char* name, bool is_good, Status otherwise, std::string detail,
                const char* fix) {
    if (is_good) return {name, Status::ok, std::move(detail), {}};
    return {name, otherwise, std::move(detail), fix};
}

std::string first_line(std::string_view path) {
    const auto text = sys::read_file(path);
    return text ? std::string(trim(text.value())) : "not there";
}

HostCheck check_root() {
    const auto uid = ::geteuid();
    return check("user.root", uid == 0, Status::failure, fmt::format("runs as uid {}", uid),
                 "run coveyd as root");
}

HostCheck check_pidfd() {
    utsname name{};
    (void)::uname(&name);
    const auto self = sys::pidfd_open(::getpid());
    return check("kernel.pidfd", self.has_value(), Status::failure,
                 fmt::format("{} {}", name.sysname, name.release), "use Linux 5.14 or later");
}

HostCheck check_layout(const cgroup::Host& host) {
    std::string controllers = join(host.unified_controllers, " ");
    std::string detail{cgroup::layout_name(host.layout)};
    if (!host.unified.empty())
        detail += fmt::format(", v2 at {} with {}", host.unified,
                              controllers.empty() ? "no controllers" : controllers);
    if (!host.v1.empty()) {
        std::vector<std::string> names;
        for (const auto& [controller, mount] : host.v1)
            names.push_back(controller);
        detail += fmt::format(", v1 with {}", join(names, " "));
    }
    return check("cgroup.layout", host.layout == cgroup::Layout::v2, Status::ok, detail, "");
}

HostCheck check_controllers(const cgroup::Host& host) {
    std::vector<std::string> missing;
    for (const auto* name : {"cpu", "memory", "pids"}) {
        bool found = host.v1.contains(name);
        for (const auto& offered : host.unified_controllers)
            found = found || offered == name;
        if (!found) missing.emplace_back(name);
    }
    return check("cgroup.controllers", missing.empty(), Status::warning,
                 missing.empty() ? "cpu, memory and pids can be limited"
                                 : "cannot limit: " + join(missing, ", "),
                 "boot without cgroup_disable=, and delegate the controllers to coveyd's group");
}

HostCheck check_hierarchies(const cgroup::Host& host) {
    const auto own = sys::read_file("/proc/self/cgroup").value_or({});
    const auto missing = cgroup::unmounted_hierarchies(host, own);
    const auto names = join(missing, " ");
    return check("cgroup.hierarchies", missing.empty(), Status::warning,
                 missing.empty() ? "all of the kernel's are mounted here"
                                 : "not mounted here: " + names +
                                       ": a container has no group of its own there, and one that "
                                       "may make a user namespace reaches the host's groups",
                 "before coveyd starts: mount -t cgroup -o NAME none /sys/fs/cgroup/NAME");
}

HostCheck check_groups(const cgroup::Host& host) {
    constexpr const char* kFix =
        "run coveyd as root, outside of containers, on Linux 5.14 or later (cgroup.kill)";
    try {
        auto group = cgroup::Group::create(host, "/covey-check." + random_id());
        const bool kills =
            host.layout == cgroup::Layout::v1 ||
            sys::stat_at(sys::kCwd, group.identity_dir() + "/cgroup.kill").has_value();
        const auto dir = group.identity_dir();
        group.remove();
        return check("cgroup.kill", kills, Status::failure,
                     kills ? "groups can be made, killed and removed" : "no cgroup.kill in " + dir,
                     kFix);
    } catch (const Error& error) {
        return {"cgroup.kill", Status::failure, error.detail(), kFix};
    }
}

HostCheck check_capability() {
    const auto masks = sys::get_capabilities();
    const bool has = masks && (masks.value().effective >> CAP_SYS_RESOURCE & 1U) != 0;
    return check("capability.sys_resource", has, Status::warning,
                 has ? "limits and oom scores can be raised"
                     : "without CAP_SYS_RESOURCE no limit above coveyd's own and no lower "
                       "oomScoreAdj can be set",
                 "start coveyd with CAP_SYS_RESOURCE (systemd: CapabilityBoundingSet)");
}

HostCheck check_seccomp() {
    const auto actions = first_line("/proc/sys/kernel/seccomp/actions_avail");
    return check("kernel.seccomp", actions.find("errno") != std::string::npos, Status::failure,
                 "actions: " + actions, "use a kernel with CONFIG_SECCOMP_FILTER");
}

HostCheck check_landlock() {
    const auto abi = sys::landlock_abi();
    const auto detail = abi ? fmt::format("ABI {}", abi.value()) : errno_text(abi.error());
    return check("kernel.landlock", abi && abi.value() >= kScopeAbi, Status::warning,
                 detail + (abi && abi.value() >= kScopeAbi ? "" : ", signals cannot be scoped"),
                 "Linux 6.12 or later, booted with landlock in lsm=");
}

HostCheck check_procfs() {
    const auto pidns = sys::open("/proc/self/ns/pid", O_RDONLY);
    const bool takes = pidns && sys::procfs_takes_pidns(pidns.value());
    return {"procfs.pidns",
            Status::ok,
            takes ? "a pod's /proc is made by its PID namespace"
                  : "not there, a pod's /proc is made by its pause process",
            {}};
}

HostCheck check_user_namespaces() {
    const auto most = first_line("/proc/sys/user/max_user_namespaces");
    const auto number = parse_u64(most);
    return check("kernel.user_namespaces", number && *number > 0, Status::warning,
                 "user.max_user_namespaces: " + most, "sysctl -w user.max_user_namespaces=65536");
}

HostCheck check_ids(const IdSource& ids) {
    return {"userns.ids",
            Status::ok,
            describe_ids(ids).value_or(
                "none: a sandbox with a new user namespace must name its id mappings (or give "
                "covey an entry in /etc/subuid and /etc/subgid)"),
            {}};
}

HostCheck check_open_files() {
    const auto limit = sys::get_limit(RLIMIT_NOFILE);
    const auto soft = limit ? limit.value().first : 0;
    return check("limit.open_files", soft >= kWantedFiles, Status::warning,
                 fmt::format("at most {} open files, about {} sandboxes", soft, soft / 4),
                 "raise it: ulimit -n 65536, or LimitNOFILE= in coveyd's unit");
}

}  // namespace

std::vector<HostCheck> check_host(const cgroup::Host& host, const IdSource& ids) {
    return {check_root(),
            check_pidfd(),
            check_layout(host),
            check_controllers(host),
            check_hierarchies(host),
            check_groups(host),
            check_capability(),
            check_seccomp(),
            check_landlock(),
            check_procfs(),
            check_user_namespaces(),
            check_ids(ids),
            check_open_files()};
}

}  // namespace covey::daemon
