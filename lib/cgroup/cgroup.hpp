// Covey's cgroups: v2, v1 and hybrid hosts behind one interface.
//
// Every container has a group of its own, by which its processes are found, killed and counted: its
// *identity*. The identity is in the v2 tree wherever there is one (a pure v2 host, or the
// `unified` tree of a hybrid host); on a pure v1 host it is in the `freezer` hierarchy. All other
// hierarchies have a group of the same path, limits or not: a container that is not limited by a
// hierarchy, but sits in its root, could write the host's groups there (docs/decisions/016).
//
// A group's path is the same in each hierarchy: `/covey/<sandbox>.pod/<container>.ctr/<exec>.exec`.
// A container's own processes are in `main` below its group, in the hierarchies whose limits hold
// for what is below: so who writes to the root of the container's cgroup namespace lifts no limit.
// Its files say the same, for whoever reads them there.
// The suffixes keep ids clear of the kernel's own file names ("memory.max" is a valid id). Only an
// OCI runtime's group, below its caller's cgroup, can have others (placement.hpp).
//
// Called by lib/launch and lib/shim (which create and kill) and lib/core (which reads).
// Thread rule: objects are values with one owner. Blocks: cgroupfs reads and writes; nothing waits
// unless it says so.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "cgroup/limits.hpp"
#include "cgroup/placement.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::cgroup {

enum class Layout { v2, hybrid, v1 };
[[nodiscard]] std::string_view layout_name(Layout layout) noexcept;

/// Where this host's hierarchies are. Found by statfs of what is on top at each mount point, never
/// by mountinfo's text alone: a tmpfs over /sys/fs/cgroup/unified means v1 only.
struct Host {
    Layout layout = Layout::v2;
    /// Mount point of the v2 tree, empty on a pure v1 host.
    std::string unified;
    /// Controllers that the v2 tree's root offers (cgroup.controllers).
    std::vector<std::string> unified_controllers;
    /// v1 controller name → mount point ("memory" → "/sys/fs/cgroup/memory").
    std::map<std::string, std::string> v1;
    /// Which part of the identity hierarchy its mount shows; empty: all of it. Not empty only where
    /// Covey itself runs in a container that shares the host's cgroup namespace.
    std::string identity_root;
    /// The same of v1 hierarchies: mount point → part, for those that do not show all.
    std::map<std::string, std::string> v1_roots;

    /// Mount point of the hierarchy in which identities are: v2, or v1's freezer.
    [[nodiscard]] const std::string& identity_mount() const;
};

/// Where Covey's groups go when nobody names a parent. It carries no limits of its own.
inline constexpr std::string_view kDefaultParent = "/covey";

/// `root` is where `/sys/fs/cgroup` and `/proc/self/mountinfo` are looked up ("" or a test's tree).
/// Throws Code::unsupported_by_host when no usable hierarchy is mounted.
[[nodiscard]] Host detect(const std::string& root = {});

struct Stats {
    std::optional<std::uint64_t> pids_current;
    std::optional<std::uint64_t> memory_current, memory_peak;  // bytes
    std::optional<std::uint64_t> cpu_usage_us, cpu_user_us, cpu_system_us;
    std::optional<std::uint64_t> oom_kills;
};

/// Where a hybrid host's device rules are: in v1's devices files, in which engines and tools find
/// them, or in a program on the v2 group alone, as systemd writes the files of its own units.
enum class DeviceRulesIn { files, program };

/// What to do about a hierarchy in which the caller may not make a group.
enum class Forbidden { refuse, skip };

/// One group in every hierarchy where it exists. Move-only; closing it removes nothing.
class Group {
  public:
    /// Makes the identity directory (and missing parents). A path begins with '/'; ".." is refused.
    /// Throws already_exists if the last component is there already. On failure nothing is left.
    static Group create(const Host& host, Placement placement);
    /// The same in every hierarchy that is mounted, with bounds for what is made below it
    /// (bound_below), and for a container `main`: for whatever is not Covey's own code.
    static Group create_everywhere(const Host& host, Placement placement);
    /// The same for a path that an engine chose: a group that is there already is taken, with what
    /// is below it, as long as no hierarchy has a process in it (else failed_precondition).
    static Group create_or_take(const Host& host, Placement placement);
    /// The group of a scope that systemd has just made with the process `first`. On v1 systemd
    /// makes it in the hierarchies that it uses itself; here it is made in the others too. One that
    /// is there already must have no process but that one (failed_precondition).
    static Group complete_scope(const Host& host, Placement placement, pid_t first);
    /// Throws not_found.
    static Group open(const Host& host, Placement placement);

    [[nodiscard]] const std::string& path() const noexcept { return placement_.path; }
    [[nodiscard]] const Placement& placement() const noexcept { return placement_; }
    /// Directory of the identity hierarchy, absolute on the host.
    [[nodiscard]] std::string identity_dir() const;
    /// Where its processes are: for clone3(CLONE_INTO_CGROUP). Invalid on a pure v1 host: there the
    /// child calls join().
    [[nodiscard]] FdRef clone_target() const noexcept;
    /// cgroup id (inode of the identity directory).
    [[nodiscard]] std::uint64_t id() const;

    /// Creates the group in the v1 hierarchies (or enables the v2 controllers) that `limits` needs
    /// and writes them. A controller that the host lacks: unsupported_by_host, naming it and the
    /// field. Limits are in force before anything can run: call it before join().
    void apply(const Limits& limits);
    /// Deny all, then `rules`, then OCI's default devices (not the host's console 5:1, not
    /// net/tun), the last that speaks of a device deciding. Replaces earlier rules. A
    /// BPF_CGROUP_DEVICE program on the v2 directory (about 70 µs); v1's devices files where there
    /// is no v2 tree, and for a group that extend_to_v1() made, if v1 can express the rules and
    /// they may be `in` files.
    void restrict_devices(const std::vector<DeviceRule>& rules,
                          DeviceRulesIn in = DeviceRulesIn::files);
    /// Makes the group in every v1 hierarchy, limits or not, as runc does it.
    void extend_to_v1(Forbidden forbidden = Forbidden::refuse);
    /// v2: how deep and how many groups may be below, unless somebody has said so. v1 has no bound.
    void bound_below();
    /// Makes `main`, or takes it, in every hierarchy whose limits hold for what is below.
    void make_seats(Forbidden forbidden = Forbidden::refuse);
    /// v2: `main`, if it has one, gets every controller of the group, by apply() too: for who is
    /// lent its cgroup, and an engine that counts where the processes are.
    void pass_on_controllers();
    /// Moves the calling process (single-threaded) into every v1 hierarchy in which the group, or
    /// else a group above it (but kDefaultParent), exists; into the identity only when `identity`
    /// says so (it was not born there by CLONE_INTO_CGROUP). About 25 µs for each hierarchy.
    enum class Identity { already_there, move };
    void join(Identity identity) const;

    /// SIGKILL to every process in the group and below, all threads, thawed (v1 freezers too). v2:
    /// cgroup.kill, then each one that is left by its pidfd; does not wait. Pure v1: freezes, kills
    /// and thaws until none is left, at most 2 s. To know that none is left: end(). Gone: success.
    void kill() const;
    /// kill() of an exec's group below `container`'s, which may have moved the exec's processes
    /// into v1 freezer groups of its own.
    void kill_exec(const Group& container) const { kill_within(&container); }
    /// Kills until the group is empty. Blocks; after `limit` it throws timeout with who is left.
    void end(std::chrono::milliseconds limit) const;
    /// Who is in the group or below, for an error: "process 4711 (sh), state D, waits in ...".
    [[nodiscard]] std::string survivors() const;
    /// `signal` to every process in the group and below; who is forked meanwhile may be missed.
    void signal(int signal) const;
    /// Tells all to stand still and does not wait: stands_still() says when they do.
    void begin_freeze() const;
    /// All whom begin_freeze() told have stopped, or are gone. v1 tells again who was forked since.
    [[nodiscard]] bool stands_still() const;
    /// Blocks until every task is stopped, at most 2 s; then thaws and throws timeout.
    void freeze() const;
    /// Does not wait. On a hybrid host v1's freezer too, whoever used it. Gone: success.
    void thaw() const;
    /// Told to stand still, on a hybrid host also through v1's freezer.
    [[nodiscard]] bool is_frozen() const;
    /// True when no process is left in the group or below (a zombie does not count).
    [[nodiscard]] bool is_empty() const;
    /// cgroup.events opened for poll(POLLPRI); invalid on a pure v1 host (poll is_empty() then).
    [[nodiscard]] UniqueFd open_events() const;
    /// Blocks; false when the time is over.
    [[nodiscard]] bool wait_empty(std::chrono::milliseconds limit) const;
    /// Processes in the group and below, host numbers.
    [[nodiscard]] std::vector<pid_t> processes() const;
    [[nodiscard]] Stats stats() const;
    /// In every hierarchy, with all below, all empty; waits 100 ms for dying tasks. Gone: success.
    void remove();
    /// One try, of some milliseconds: false while something in it is ending, or much is below it.
    [[nodiscard]] bool try_remove();

  private:
    Group(const Host& host, Placement placement, UniqueFd identity);
    void kill_within(const Group* container) const;
    const Host* host_;
    Placement placement_;
    UniqueFd identity_, seat_;  // seat_: v2, `main`, if it has one
    bool passes_on_ = false;
};

/// The caller's own group in the v2 tree, for clone3(CLONE_INTO_CGROUP); invalid where there is
/// none or its mount does not show it.
[[nodiscard]] UniqueFd open_own(const Host& host);

/// The identity path of a process ("/covey/web.pod/nginx.ctr"; "/" for the root), from
/// /proc/<pid>/cgroup; empty if the process is gone. Begins with "/.." for a process outside what
/// the host's mount shows. Of one so deep that the kernel cuts its path off (PATH_MAX): of a group
/// above it. `proc` is the host's /proc opened by the caller.
[[nodiscard]] std::string identity_of(const Host& host, FdRef proc, pid_t pid);

/// Whether `group` is `above` or below it: paths of the identity hierarchy.
[[nodiscard]] bool is_in_group(std::string_view group, std::string_view above) noexcept;

}  // namespace covey::cgroup
