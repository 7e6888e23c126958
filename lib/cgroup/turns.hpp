// Work on a tree of groups that an event loop does by turns: what is below a container's group, and
// how many processes are in it, is the container's choice, and must not keep the loop.
// Each object is one piece of work on one group and holds two descriptors at most; it is called
// until it says that it is through, and may be given up at any time.
// Called by lib/shim and coveyd; lib/cgroup's own blocking calls are made of the same.
// Thread rule: one owner. A turn blocks until the time that it is given, and then for one step
// more: some hundred microseconds, with 10,000 processes in one group some milliseconds.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/placement.hpp"
#include "cgroup/walk.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::cgroup {

struct Host;
using TurnClock = std::chrono::steady_clock;

/// How long a loop lets one go on: with the step that is under way then, less than 5 ms.
inline constexpr std::chrono::milliseconds kTurn{2};

/// Whom a signal to a group does not mean, though he is in it: a process of another container, or
/// the pod's first one, that somebody has moved there (residents.hpp). Null: all are meant. By a
/// number that is the process's own for as long as the caller has not reaped it.
using Spares = std::function<bool(pid_t)>;

/// A signal to each process in a group and below, once to each; who is forked meanwhile may be
/// missed. What it throws is the kernel's; then it is to be given up.
class Signalling {
  public:
    /// Each group, or each but the first, is thawed (v2) after its processes were told.
    enum class Thaw { no, yes, below };
    Signalling(FdRef top, int signal, Thaw thaw = Thaw::no, Spares spares = {});
    /// True: all have been told.
    [[nodiscard]] bool turn(TurnClock::time_point until);
    [[nodiscard]] const std::set<pid_t>& told() const noexcept { return told_; }

  private:
    Walk walk_;
    int signal_;
    Thaw thaw_;
    Spares spares_;
    bool is_in_group_ = false;
    std::set<pid_t> told_;
};

/// SIGKILL to all, as Group::kill() describes it. The first turn tells the kernel to kill the whole
/// group, whatever its size; if somebody is to be spared it tells it to let nobody of it fork, and
/// each process is signalled by itself. The group is left frozen then: whoever is left in it is
/// moved, not thawed there.
class Killing {
  public:
    explicit Killing(const Host& host, Placement group, Spares spares = {});
    /// Of an exec's group below `container`, which may have moved the exec's processes into v1
    /// freezer groups of its own.
    Killing(const Host& host, Placement group, Placement container, Spares spares = {});
    Killing(const Killing&) = delete;
    Killing& operator=(const Killing&) = delete;
    ~Killing();
    /// True: all who were found have been told, or nobody is there, and the next turn begins anew.
    /// Throws what the kernel answers; the next turn begins anew then, too.
    [[nodiscard]] bool turn(TurnClock::time_point until);
    /// From now on also who is in the group in any v1 hierarchy: somebody may have moved him out of
    /// it in the tree by which it is killed.
    void look_everywhere() noexcept { everywhere_ = true; }

  private:
    enum class Step { open, begin, thaw, signal, look_around, end };
    [[nodiscard]] bool go_on(TurnClock::time_point until);
    void open();
    void begin_round();
    [[nodiscard]] bool thaw(TurnClock::time_point until);
    [[nodiscard]] bool signal(TurnClock::time_point until);
    [[nodiscard]] bool begin_next();
    [[nodiscard]] bool look_around(TurnClock::time_point until);
    void thaw_all(FdRef freezer, Step then);
    [[nodiscard]] bool thaw_way_of(pid_t pid);
    void give_up() noexcept;
    [[nodiscard]] bool is_v1() const;

    const Host& host_;
    Placement group_;
    std::optional<Placement> container_;
    Spares spares_;
    bool everywhere_ = false;
    Step step_ = Step::open;
    UniqueFd identity_;
    bool is_frozen_ = false;  // pure v1: by us
    int round_ = 0;
    std::set<pid_t> found_;
    std::size_t known_ = 0;
    std::optional<Walk> freezers_;
    Step after_thaw_ = Step::signal;
    std::vector<std::string> mounts_;  // in which the group is still to be signalled
    std::optional<Signalling> signalling_;
    std::optional<Placement> around_;  // where a neighbour may have pulled one of ours
    std::vector<pid_t> left_;          // who is still to be looked for there
};

/// Removes a group and all below it from every hierarchy.
class Removal {
  public:
    Removal(const Host& host, Placement group);
    enum class Left { nothing, groups, processes };
    /// nothing: it is gone. groups: the time was over, and there are fewer than before. processes:
    /// somebody is in it, or has just ended; the next turn begins anew. Throws as Killing's.
    [[nodiscard]] Left turn(TurnClock::time_point until);

  private:
    [[nodiscard]] Left remove_from(const std::string& mount, TurnClock::time_point until);

    Placement group_;
    std::vector<std::string> mounts_;  // what is left, the last one first
    std::optional<Place> place_;
};

}  // namespace covey::cgroup
