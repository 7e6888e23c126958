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

/// A signal to each process in a group and below, once to each; who is forked meanwhile may be
/// missed. What it throws is the kernel's; then it is to be given up.
class Signalling {
  public:
    /// Thaw::yes: each group is thawed (v2) after its processes were told.
    enum class Thaw { no, yes };
    Signalling(FdRef top, int signal, Thaw thaw = Thaw::no);
    /// True: all have been told.
    [[nodiscard]] bool turn(TurnClock::time_point until);
    [[nodiscard]] const std::set<pid_t>& told() const noexcept { return told_; }

  private:
    Walk walk_;
    int signal_;
    Thaw thaw_;
    bool is_in_group_ = false;
    std::set<pid_t> told_;
};

/// SIGKILL to all, as Group::kill() describes it. The first turn tells the kernel to kill the whole
/// group, whatever its size.
class Killing {
  public:
    explicit Killing(const Host& host, Placement group);
    /// Of an exec's group below `container`, which may have moved the exec's processes into v1
    /// freezer groups of its own.
    Killing(const Host& host, Placement group, Placement container);
    Killing(const Killing&) = delete;
    Killing& operator=(const Killing&) = delete;
    ~Killing();
    /// True: all who were found have been told, or nobody is there, and the next turn begins anew.
    /// Throws what the kernel answers; the next turn begins anew then, too.
    [[nodiscard]] bool turn(TurnClock::time_point until);

  private:
    enum class Step { open, begin, thaw, signal, look_around, end };
    [[nodiscard]] bool go_on(TurnClock::time_point until);
    void open();
    void begin_round();
    [[nodiscard]] bool thaw(TurnClock::time_point until);
    [[nodiscard]] bool signal(TurnClock::time_point until);
    [[nodiscard]] bool look_around(TurnClock::time_point until);
    void thaw_all(FdRef freezer, Step then);
    [[nodiscard]] bool thaw_way_of(pid_t pid);
    void give_up() noexcept;
    [[nodiscard]] bool is_v1() const;

    const Host& host_;
    Placement group_;
    std::optional<Placement> container_;
    Step step_ = Step::open;
    UniqueFd identity_;
    bool is_frozen_ = false;  // pure v1: by us
    int round_ = 0;
    std::set<pid_t> found_;
    std::size_t known_ = 0;
    std::optional<Walk> freezers_;
    Step after_thaw_ = Step::signal;
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
