// Who could look at a process that is privileged for a moment in the pod's PID namespace stands
// still for that long (docs/LAUNCH.md, "Nested"): the processes of the pod's own containers, and
// strangers. So a client's pause of a container goes this way too. Used by Container; one object
// for each shim.
// Thread rule: the loop's thread. freeze() waits until every neighbour's tasks have stopped, some
// 30 microseconds each, at most 2 s for one in uninterruptible sleep.
#pragma once

#include "shim/strangers.hpp"

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace covey::shim {

class Container;

class Neighbours {
  public:
    /// `members` gives the containers whose processes are in the pod's PID namespace.
    Neighbours(std::function<std::vector<Container*>()> members, Strangers strangers)
        : members_(std::move(members)), strangers_(std::move(strangers)) {}

    /// Every call wants one thaw(). When it throws, nobody stands still for its sake.
    void freeze();
    void thaw() noexcept;
    /// One that is about to run its program: it stands still too if the others do.
    void join(Container& newcomer);
    /// A client's wish: it stands still from now on, and still does when the others go on. Throws
    /// timeout after 2 s.
    void pause(const Container& container);
    /// The opposite: it goes on, as one of the others when these stand still now.
    void resume(const Container& container);

  private:
    void freeze_one(Container& container);
    void thaw_all() noexcept;

    std::function<std::vector<Container*>()> members_;
    Strangers strangers_;
    std::set<std::string> frozen_;  // by us: one that a client has paused stays so
    int holders_ = 0;
};

/// One launch's share of the stillness; gives it back when it goes.
class Stillness {
  public:
    Stillness() = default;
    explicit Stillness(Neighbours& neighbours) : neighbours_(&neighbours) { neighbours.freeze(); }
    Stillness(Stillness&& other) noexcept
        : neighbours_(std::exchange(other.neighbours_, nullptr)) {}
    Stillness& operator=(Stillness&& other) noexcept {
        std::swap(neighbours_, other.neighbours_);
        return *this;
    }
    Stillness(const Stillness&) = delete;
    Stillness& operator=(const Stillness&) = delete;
    ~Stillness() { end(); }
    void end() noexcept {
        if (auto* const held = std::exchange(neighbours_, nullptr); held != nullptr) held->thaw();
    }

  private:
    Neighbours* neighbours_ = nullptr;
};

}  // namespace covey::shim
