// Groups as directories: create, open, join, remove.
#include "base/rollback.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/turns.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <set>

namespace covey::cgroup {
namespace {

// systemd as a container's init needs a depth of 7 and some 300 groups; a Kubernetes node in a
// container, with systemd in its containers again, 16 and, for 250 pods, some 1,500.
constexpr int kDeepest = 32, kMostBelow = 4096;

/// Controllers that are mounted together ("cpu,cpuacct") share a mount point: each once.
std::set<std::string> v1_mounts(const Host& host) {
    std::set<std::string> mounts;
    for (const auto& [name, mount] : host.v1)
        mounts.insert(mount);
    return mounts;
}

/// "0" is the writer itself, whatever PID namespace it is in. By v1's `tasks` a thread moves itself
/// alone, and for that the kernel takes no lock for which it must wait a grace period of RCU first
/// (cgroup_procs_write_start; 20 µs instead of 15 ms). The caller has one thread, so it is the
/// same.
/// A group above is joined for its limits' sake: who may not move there has none of its own either.
void move_self(FdRef group, std::string_view dir, const char* file, Forbidden forbidden) {
    const auto moved = sys::write_existing_at(group, file, "0");
    if (moved || (forbidden == Forbidden::skip && is_forbidden(moved.error()))) return;
    auto error = Error::from_errno(moved.error(), "join cgroup", dir);
    if (moved.error() == EBUSY)
        error.set_fix(
            "a v2 group that passes controllers on to groups below cannot hold processes "
            "itself: choose a group without cgroup.subtree_control");
    // RT_GROUP_SCHED: a new v1 group has no real-time budget (cpu_cgroup_can_attach).
    if (moved.error() == EINVAL && sys::stat_at(group, "cpu.rt_runtime_us"))
        error.set_fix(
            "a process with SCHED_FIFO or SCHED_RR needs a budget in its group (cpu.rt_runtime_us):"
            " set linux.resources.cpu.realtimeRuntime, and give the groups above as much");
    throw error;
}

void check_paths(const Placement& placement) {
    check_path(placement.path);
    for (const auto& [mount, path] : placement.v1_paths)
        check_path(path);
}

Error cannot_create(const std::string& mount, int number, const std::string& dir) {
    auto error = Error::from_errno(number, "create cgroup", dir);
    if (is_forbidden(number))
        error.set_fix(fmt::format("make {} writable for this user (run as root)", mount));
    if (number == EAGAIN)
        error.set_fix("raise cgroup.max.descendants or cgroup.max.depth of the groups above");
    return error;
}

void refuse_processes(FdRef group, const std::string& dir, pid_t but = 0) {
    auto processes = processes_of(group);
    std::erase(processes, but);
    const auto count = processes.size();
    if (count == 0) return;
    throw Error(Code::failed_precondition,
                fmt::format("cgroup {} is not empty: {} processes are in it or below", dir, count))
        .with_fix("end them, or give the container a cgroupsPath of its own");
}

}  // namespace

const std::string& Host::identity_mount() const {
    return unified.empty() ? v1.at("freezer") : unified;
}

Group::Group(const Host& host, Placement placement, UniqueFd identity)
    : host_(&host), placement_(std::move(placement)), identity_(std::move(identity)) {
    if (auto opened = open_group(host.identity_mount(), seat_below(placement_.path)))
        seat_ = std::move(opened).value();
}

Group Group::create(const Host& host, Placement placement) {
    check_paths(placement);
    auto made = make_group(host.identity_mount(), placement.path);
    if (made) return Group{host, std::move(placement), std::move(made).value()};
    const auto dir = host.identity_mount() + placement.path;
    if (made.error() == EEXIST)
        throw Error(Code::already_exists, fmt::format("cgroup {} is there already", dir))
            .with_fix("remove what is left of the container that had it, or choose another id");
    throw cannot_create(host.identity_mount(), made.error(), dir);
}

Group Group::create_everywhere(const Host& host, Placement placement) {
    auto group = create(host, std::move(placement));
    Rollback rollback;
    rollback.add([&group] { group.remove(); });
    group.bound_below();
    group.extend_to_v1();
    if (is_containers(group.path())) group.make_seats();
    rollback.release();
    return group;
}

Group Group::create_or_take(const Host& host, Placement placement) {
    check_paths(placement);
    auto dir = host.identity_mount() + placement.path;
    auto identity = make_group(host.identity_mount(), placement.path);
    const bool is_new = static_cast<bool>(identity);
    if (!is_new && identity.error() == EEXIST)
        identity = open_group(host.identity_mount(), placement.path);
    if (!identity) throw cannot_create(host.identity_mount(), identity.error(), dir);
    if (!is_new) refuse_processes(identity.value(), dir);
    for (const auto& mount : v1_mounts(host))
        if (const auto group = open_group(mount, placement.in(mount)))
            refuse_processes(group.value(), mount + placement.in(mount));
    Group group{host, std::move(placement), std::move(identity).value()};
    // What an interrupted delete or somebody's pause left: nothing could start in there.
    if (group.is_frozen()) group.thaw();
    return group;
}

Group Group::complete_scope(const Host& host, Placement placement, pid_t first) {
    check_paths(placement);
    Rollback rollback;
    const auto complete = [&](const std::string& mount) {
        const auto path = placement.in(mount);
        auto group = make_group(mount, path);
        if (group) rollback.add([mount, path] { (void)remove_group(mount, path); });
        if (!group && group.error() == EEXIST) group = open_group(mount, path);
        if (!group) throw cannot_create(mount, group.error(), mount + path);
        refuse_processes(group.value(), mount + path, first);
    };
    // The identity first: by it the group is found, whenever its maker is killed.
    complete(host.identity_mount());
    const auto mounts = v1_mounts(host);
    for (const auto& mount : mounts)
        if (mount != host.identity_mount()) complete(mount);
    auto group = open(host, placement);
    group.bound_below();
    group.extend_to_v1();
    group.make_seats();
    if (group.is_frozen()) group.thaw();
    rollback.release();
    return group;
}

Group Group::open(const Host& host, Placement placement) {
    check_paths(placement);
    const auto dir = host.identity_mount() + placement.path;
    auto opened = open_group(host.identity_mount(), placement.path);
    if (!opened && opened.error() == ENOENT)
        throw Error(Code::not_found, fmt::format("no cgroup {}", dir));
    auto identity = std::move(opened).or_throw("open cgroup", dir);
    return Group{host, std::move(placement), std::move(identity)};
}

std::string Group::identity_dir() const {
    return host_->identity_mount() + placement_.path;
}

FdRef Group::clone_target() const noexcept {
    if (host_->unified.empty()) return FdRef{-1};
    return seat_ ? seat_.ref() : identity_.ref();
}

std::uint64_t Group::id() const {
    return sys::stat_fd(identity_).or_throw("stat cgroup", placement_.path).st_ino;
}

void Group::extend_to_v1(Forbidden forbidden) {
    const auto cpuset = host_->v1.find("cpuset");
    for (const auto& mount : v1_mounts(*host_)) {
        const auto& path = placement_.in(mount);
        const auto made = ensure_group(mount, path);
        if (!made && forbidden == Forbidden::skip && is_forbidden(made.error())) continue;
        if (!made) throw cannot_create(mount, made.error(), mount + path);
        if (cpuset != host_->v1.end() && cpuset->second == mount) inherit_cpuset(mount, path);
    }
}

void Group::bound_below() {
    if (host_->unified.empty()) return;
    for (const auto& [file, most] :
         {std::pair{"cgroup.max.depth", kDeepest}, std::pair{"cgroup.max.descendants", kMostBelow}})
        if (read_control(identity_, file) == "max")
            sys::write_existing_at(identity_, file, std::to_string(most))
                .or_throw("write", identity_dir() + "/" + file);
}

void Group::join(Identity identity) const {
    const bool v1_only = host_->unified.empty();
    if (identity == Identity::move)
        move_self(seat_ ? seat_.ref() : identity_.ref(), identity_dir(),
                  v1_only ? "tasks" : "cgroup.procs", Forbidden::refuse);
    for (const auto& mount : v1_mounts(*host_)) {
        if (v1_only && mount == host_->identity_mount()) continue;
        // An exec's group, and a container's without limits, has no directory of its own here: the
        // limits that hold for it are those of the nearest group above.
        for (std::string_view path = placement_.in(mount); !path.empty() && path != kDefaultParent;
             path = parent_path(path)) {
            const bool is_above = path.size() != placement_.in(mount).size();
            // Above, a `main` could be anybody's.
            auto group =
                is_above && !is_containers(path) ? open_group(mount, path) : open_seat(mount, path);
            if (!group && group.error() == ENOENT) continue;
            const auto dir = mount + std::string{path};
            move_self(std::move(group).or_throw("open cgroup", dir), dir, "tasks",
                      is_above ? Forbidden::skip : Forbidden::refuse);
            break;
        }
    }
}

void Group::remove() {
    const auto remove_in = [&](const std::string& mount, const std::string& path) {
        const auto removed = remove_group(mount, path);
        if (removed) return;
        if (removed.error() == EAGAIN)
            throw Error(Code::timeout, fmt::format("remove cgroup {}{}: groups below it are left "
                                                   "after 5 s",
                                                   mount, path))
                .with_fix("try again: each time there are fewer");
        if (removed.error() != EBUSY) removed.or_throw("remove cgroup", mount + path);
        throw Error(Code::failed_precondition,
                    fmt::format("remove cgroup {}{}: {} processes are still in it or below", mount,
                                path, processes().size()))
            .with_fix("kill the group and wait until it is empty, then remove it");
    };
    for (const auto& mount : v1_mounts(*host_))
        remove_in(mount, placement_.in(mount));
    if (!host_->unified.empty()) remove_in(host_->unified, placement_.path);
    identity_.reset();
    seat_.reset();
}

bool Group::try_remove() {
    Removal removal{*host_, placement_};
    if (removal.turn(TurnClock::now() + kTurn) != Removal::Left::nothing) return false;
    identity_.reset();
    seat_.reset();
    return true;
}

}  // namespace covey::cgroup
