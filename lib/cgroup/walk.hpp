// Going through the groups of one hierarchy. What is below a container's group may be made by the
// container, so a walk costs the same whatever it finds there: two descriptors of its own at any
// depth (the way back is ".."), no recursion, and an end.
// Called by lib/cgroup and by lib/core (the processes of a pod). Thread rule: safe from any thread.
// Blocks as cgroupfs does: some 5 µs for each group.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cerrno>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::cgroup {

/// Groups that one walk visits at most. A container's v2 group has fewer by its own limit
/// (Group::bound_below); v1 knows no limit, and who makes groups faster than they are visited
/// would keep a walk for ever.
inline constexpr std::size_t kMostVisited = 1U << 17U;

struct Visit {
    FdRef group;            // O_PATH, the walk's own: duplicate it to keep it
    std::string_view name;  // "": the group at which the walk began
    std::size_t depth = 0;  // 0: that group
};
enum class Onward { yes, stop };
enum class Walked { all, stopped, too_many };

/// Calls `visit` for the group and each group below it, parents first, siblings by name. Groups
/// that vanish on the way are passed over. Throws on what else the kernel answers.
[[nodiscard]] Walked walk_groups(FdRef group, const std::function<Onward(const Visit&)>& visit);

/// What the kernel answers about a group that was removed in the meantime.
[[nodiscard]] inline bool is_gone(int error) noexcept {
    return error == ENOENT || error == ENODEV;
}

/// Processes of this one group as cgroup.procs lists them: numbers in the caller's PID namespace, 0
/// for one that it does not see. Empty for a group that is gone, or threaded (its processes stand
/// in the group above it).
[[nodiscard]] std::vector<pid_t> listed_processes(FdRef group);

/// A place in a tree of groups and the way back from it, held with one descriptor. For walks that
/// change what they walk on.
class Place {
  public:
    /// Begins at `group`, which it duplicates.
    static Result<Place> at(FdRef group);

    [[nodiscard]] FdRef group() const noexcept { return here_; }
    [[nodiscard]] std::size_t depth() const noexcept { return way_.size() - 1; }
    [[nodiscard]] const std::string& name() const noexcept { return way_.back().name; }
    /// The next group below that was not taken yet, as listed when this place was entered; "" when
    /// there is none left.
    [[nodiscard]] std::string take_next();
    /// False: it is gone.
    Result<bool> enter(const std::string& name);
    /// To the group above; not at the beginning. ESTALE: that is another one than before.
    Result<void> leave();

  private:
    struct Step {
        std::string name;
        ino_t inode = 0;
        std::vector<std::string> next;  // in reverse order
    };
    Place() = default;
    Result<void> arrive(UniqueFd group, std::string name);

    UniqueFd here_;
    std::vector<Step> way_;
};

}  // namespace covey::cgroup
