// The end of a group's processes. cgroup.kill is one write and misses nobody who forks, but it
// sends SIGKILL to each process's *first* thread: where that one has ended by itself (pthread_exit
// in main) and another goes on, the signal is queued for the dead one and nothing happens. So who
// is left is signalled by pidfd, thread group by thread group, until nobody new is found.
#include "cgroup/cgroup.hpp"
#include "cgroup/freezer_v1.hpp"
#include "cgroup/members.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/walk.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>

namespace covey::cgroup {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr int kMostRounds = 16;
constexpr milliseconds kAgain{20};  // who was forked while the last kill went round
constexpr std::size_t kMostNamed = 3;

/// Not an error: the group is gone, or threaded, which has no cgroup.kill.
void write_kill(FdRef group, const std::string& dir) {
    const auto killed = sys::write_existing_at(group, "cgroup.kill", "1");
    if (killed || killed.error() == EOPNOTSUPP) return;
    if (is_gone(killed.error()) && !read_control(group, "cgroup.events")) return;
    if (killed.error() == ENOENT)
        throw Error(Code::unsupported_by_host,
                    fmt::format("kill cgroup {}: missing: cgroup.kill (ENOENT)", dir))
            .with_fix("use Linux 5.14 or newer");
    killed.or_throw("kill cgroup", dir);
}

/// SIGKILL to all in the group and below. First the signal, then the thaw: nobody goes on for a
/// moment.
void kill_members(FdRef group, bool thaws, std::set<pid_t>& found) {
    (void)walk_groups(group, [&](const Visit& visit) {
        signal_listed(visit.group, SIGKILL, found);
        if (thaws) (void)sys::write_existing_at(visit.group, "cgroup.freeze", "0");
        return Onward::yes;
    });
}

/// A v1 freezer holds even SIGKILL. Every group from where one of the processes is up to `top`: the
/// others of the container stay as it has put them.
void thaw_on_the_way(const Host& host, const std::set<pid_t>& pids, const Placement& top) {
    const auto freezer = host.v1.find("freezer");
    if (freezer == host.v1.end()) return;
    const auto& mount = freezer->second;
    const auto root = host.v1_roots.find(mount);
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    for (const pid_t pid : pids) {
        const auto text = sys::read_file_at(proc, fmt::format("{}/cgroup", pid), 1U << 16U);
        // Deeper than the kernel tells: all that is below is looked at.
        const auto own = text ? cgroup_of(text.value(), "freezer") : std::nullopt;
        if (text.error() == ENAMETOOLONG || (own && own->size() >= kLongestTold))
            return thaw_foreign_freezer(host, top);
        if (!own) continue;
        const auto path = below_root(*own, root == host.v1_roots.end() ? "" : root->second);
        for (std::string_view at = path; is_in_group(at, top.in(mount)); at = parent_path(at))
            if (const auto group = open_group(mount, at)) thaw_v1(group.value());
    }
}

}  // namespace

void Group::kill() const {
    kill_within(nullptr);
}

void Group::kill_within(const Group* container) const {
    if (!identity_) return;
    if (host_->unified.empty()) return kill_v1(identity_, placement_.path);
    write_kill(identity_, identity_dir());
    if (container == nullptr) thaw_foreign_freezer(*host_, placement_);
    std::set<pid_t> found;
    for (int round = 0; round < kMostRounds && !is_empty(); ++round) {
        const auto known = found.size();
        kill_members(identity_, round > 0, found);
        if (container != nullptr) thaw_on_the_way(*host_, found, container->placement_);
        // A neighbour in the same PID namespace may have pulled one of ours into a freezer of its.
        const auto above = parent_path(placement_.path);
        if (container == nullptr && above.ends_with(".pod"))
            thaw_on_the_way(*host_, found, Placement{std::string{above}});
        if (found.size() == known) return;
        write_kill(identity_, identity_dir());
    }
}

void Group::end(milliseconds limit) const {
    const auto deadline = Clock::now() + limit;
    const auto kill_some = [&] {
        try {
            kill();
        } catch (const Error& error) {
            if (error.code() != Code::timeout) throw;  // v1: here it is told with who is left
        }
    };
    for (kill_some(); !wait_empty(kAgain); kill_some())
        if (Clock::now() >= deadline)
            throw Error(Code::timeout, fmt::format("cgroup {} is not empty {} ms after SIGKILL: {}",
                                                   path(), limit.count(), survivors()))
                .with_fix(
                    "a process in state D waits in the kernel, often for a mount: try again when "
                    "what it waits for answers");
}

std::string Group::survivors() const {
    if (!identity_) return {};
    std::set<pid_t> pids;
    bool unseen = false;
    (void)walk_groups(identity_, [&](const Visit& visit) {
        for (const pid_t pid : listed_processes(visit.group)) {
            unseen = unseen || pid == 0;
            if (pid != 0) pids.insert(pid);
        }
        return pids.size() > kMostNamed ? Onward::stop : Onward::yes;
    });
    std::string text;
    std::size_t named = 0;
    for (const pid_t pid : pids) {
        if (named == kMostNamed) return text + ", and others";
        const auto one = describe_process(pid);
        if (one.empty()) continue;
        text += (named++ == 0 ? "" : "; ") + one;
    }
    if (unseen && text.empty()) return "a process outside this PID namespace";
    return text.empty() ? "nobody who can be seen any more" : text;
}

}  // namespace covey::cgroup
