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
#include <optional>
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

/// Calls `visit` for the group and each group below it, parents first, siblings by name (of many
/// hundreds: some hundreds by name, then the next). Groups that vanish on the way are passed over.
/// Throws on what else the kernel answers.
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
    /// The next group below that was not taken yet, of some hundreds that are listed at a time; ""
    /// when there is none left.
    Result<std::string> take_next();
    /// False: it is gone.
    Result<bool> enter(const std::string& name);
    /// To the group above; not at the beginning. ESTALE: that is another one than before.
    Result<void> leave();

  private:
    struct Step {
        std::string name;
        ino_t inode = 0;
        std::vector<std::string> next;  // in reverse order
        long position = 0;              // of what is not listed yet
        bool is_listed = false;         // to the end
    };
    Place() = default;
    Result<void> arrive(UniqueFd group, std::string name);
    Result<void> list_more(Step& step) const;

    UniqueFd here_;
    std::vector<Step> way_;
};

/// A walk that can be interrupted: between two steps it holds one descriptor, and nothing is
/// waited for. It visits however many groups there are.
class Walk {
  public:
    /// A group that is gone: a walk that visits nothing.
    static Walk at(FdRef group);
    /// To the next group, first the one at which it began; false when all have been visited.
    [[nodiscard]] bool next();
    /// Where it is, after a next() that was true; valid until the one after.
    [[nodiscard]] Visit here() const { return {place_->group(), place_->name(), place_->depth()}; }

  private:
    std::optional<Place> place_;
    bool has_begun_ = false;
};

}  // namespace covey::cgroup
