#include "cgroup/gather.hpp"

#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

namespace covey::cgroup {
namespace {

// Who is forked by one that was not moved yet is found by the next round.
constexpr int kMostRounds = 64;

}  // namespace

void gather(const Host& host, const Group& group) {
    std::set<std::string> mounts;
    for (const auto& [name, mount] : host.v1)
        if (!host.unified.empty() || mount != host.identity_mount()) mounts.insert(mount);
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    /// Whether somebody was found outside.
    const auto move_all = [&](FdRef folder, const std::string& dir) {
        auto inside = processes_of(folder);
        std::sort(inside.begin(), inside.end());
        bool moved = false;
        for (const pid_t pid : group.processes()) {
            if (std::binary_search(inside.begin(), inside.end(), pid)) continue;
            // Numbers are given in a cycle: one that is ours now is not another's in a moment.
            if (!is_in_group(identity_of(host, proc, pid), group.path())) continue;
            const auto written =
                sys::write_existing_at(folder, "cgroup.procs", std::to_string(pid));
            if (!written && written.error() != ESRCH) written.or_throw("move into cgroup", dir);
            moved = moved || written;
        }
        return moved;
    };
    for (const auto& mount : mounts) {
        const auto dir = mount + group.placement().in(mount);
        const auto folder = open_group(mount, group.placement().in(mount));
        if (!folder && folder.error() == ENOENT) continue;
        if (!folder) throw Error::from_errno(folder.error(), "open cgroup", dir);
        for (int round = 0; move_all(folder.value(), dir); ++round)
            if (round == kMostRounds)
                throw Error(Code::timeout,
                            "move into cgroup " + dir + ": new processes keep coming")
                    .with_fix("pause the container, and try again");
    }
}

}  // namespace covey::cgroup
