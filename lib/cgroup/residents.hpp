// Processes that Covey knows, and the groups that they belong to. Whoever owns a user namespace, or
// is lent a cgroup mount, may move what it sees into groups of its own: on v1 processes of an equal
// user, as uid 0 of the host all of them, and so on v2 where it is not mounted with nsdelegate
// (docs/decisions/021). What is in a group is therefore not always of it: an end of the group
// spares who is known to be another's, and that one is moved back.
// Called by lib/shim and lib/runtime. Thread rule: safe from any thread.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/turns.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::cgroup {

struct Resident {
    pid_t pid = 0;
    FdRef process;   // its pidfd
    Placement home;  // the container's group, or pause's: in it and below it may go where it likes
    /// Its own group below home, of an exec; where that is not, and for all others (""), home's
    /// seat.
    std::string room;
};

/// Whether a process can be moved, and so thawed, by one in a group beside its own: in the
/// hierarchy in which Covey's groups are frozen and killed. Throws if the mount table cannot be
/// read.
[[nodiscard]] bool lets_others_be_moved(const Host& host);

/// It is outside its home in some hierarchy. `proc` is the host's /proc. Costs one read there;
/// gone: false.
[[nodiscard]] bool is_away(const Host& host, FdRef proc, const Resident& resident);
/// Moves it back in every hierarchy in which it is away. A home that is gone, and a process that
/// has ended, are passed over. Blocks: the kernel may wait some 15 ms for a grace period.
void bring_home(const Host& host, FdRef proc, const Resident& resident);

/// Of a group's end. The descriptors live as long as the list.
struct Others {
    std::vector<UniqueFd> processes;
    std::vector<Resident> residents;
};
/// Group::end() of a container's group that spares others. `others` is asked for when somebody is
/// in the group, and who of them is found there goes home. The caller itself is spared, too.
void end_sparing(const Host& host, Group& group, const std::function<Others()>& others,
                 std::chrono::milliseconds limit);
/// The same, and Group::remove(). Who is of the group in some v1 hierarchy alone ends, too.
void remove_sparing(const Host& host, Group& group, const std::function<Others()>& others,
                    std::chrono::milliseconds limit);
/// Group::signal() that spares them.
void signal_sparing(const Host& host, const Group& group, int signal, const Others& others);

}  // namespace covey::cgroup
