// Those who could reach a privileged newborn of the pod stand still while there is one
// (docs/LAUNCH.md, "Nested"). For at most 50 ms: one of them that does not stop in that time, or a
// launch that takes longer, costs that launch, by name, and nobody else anything. In covey-shim on
// its loop, in covey-runtime on that of a guard process. Thread rule: the loop's thread. Does not
// block.
#pragma once

#include "cgroup/cgroup.hpp"
#include "task/freezing.hpp"
#include "task/loop.hpp"
#include "task/members.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace covey::task {

class Stillness {
  public:
    /// From the first one that is told to stand still: then the launch is given up.
    static constexpr std::chrono::milliseconds kLimit{40};
    /// Nothing: all stand still. An error: they did not, or the time was over before let_go(),
    /// which is called all the same, but not before whoever is privileged in the pod has been
    /// killed and is gone: as long as he is there, nobody goes on. From the loop.
    using Told = std::function<void(std::optional<Error>)>;

    struct Rules {
        /// Known without a look at any process: Covey's own containers that could reach.
        std::function<std::vector<Members::Found>()> known;
        /// The others, found through a procfs; made at the first hold. Null: there are none.
        std::function<std::unique_ptr<Members>()> others;
        /// Groups that must go on (this program's own): who is in one cannot stand still.
        std::vector<std::string> spared;
        /// The topmost group of the container that a group is in, the same one if it is in none:
        /// what is below that its processes may name, make, leave and thaw as they like. Null: each
        /// group is its own.
        std::function<std::string(const std::string& group)> top_of = {};
        /// Before a group that is not paused is told to stand still. Null: nobody needs to know.
        std::function<void(const cgroup::Group&)> noted = {};
    };
    /// `host` is borrowed.
    Stillness(Owner& owner, const cgroup::Host& host, Rules rules);
    Stillness(const Stillness&) = delete;
    Stillness& operator=(const Stillness&) = delete;
    ~Stillness() { thaw_all(); }

    /// One launch's wish. One at a time: in between all go on. The number is for let_go().
    std::uint64_t hold(Told told);
    /// The others go on. An unknown number: nothing.
    void let_go(std::uint64_t hold) noexcept;
    /// One that is about to run its program: it stands still too if the others do. Throws when it
    /// cannot.
    void join(const Members::Found& newcomer);
    /// Somebody stands still, or is about to.
    [[nodiscard]] bool is_held() const noexcept { return !holders_.empty(); }

  private:
    struct Frozen {
        Members::Found who;
        cgroup::Group group;
        bool ours = true;                    // to thaw: a client has not paused it
        std::unique_ptr<Freezing> freezing;  // null: it stands
    };
    void begin_later();
    void begin();
    void try_again();
    void look();
    void freeze(Members::Found one);
    void check_spared(const Members::Found& one) const;
    void on_stopped(Frozen& one, bool stands);
    void go_on();
    void on_limit();
    void fail(const Error& error);
    void thaw_all() noexcept;
    void step_later(void (Stillness::*step)());

    Owner& owner_;
    const cgroup::Host& host_;
    Rules rules_;
    std::unique_ptr<Members> others_;
    std::map<std::uint64_t, Told> holders_;  // the first is the one for whom all stand still
    std::list<Frozen> frozen_;
    std::vector<Members::Found> found_;
    Timer next_, limit_;
    std::uint64_t next_hold_ = 1;
    int rounds_ = 0, tries_ = 0;
    bool looks_again_ = false, has_moved_ = false, still_ = false;
};

}  // namespace covey::task
