// Every child of this process, known or not, is waited for here and nowhere else. A process in a
// container can make children of the shim's as it likes (clone with CLONE_PARENT), and the shim a
// tracer of its threads (PTRACE_TRACEME): unreaped, one would keep its PID namespace, and with it
// the pod, from ending. Known ones go to whoever expects them, unknown ones are reaped without a
// word, tracees are let go. Thread rule: the loop's thread; one object in a process, which has
// SIGCHLD blocked from then on. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "sys/process.hpp"
#include "task/children.hpp"
#include "task/loop.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include <sys/types.h>

namespace covey::task {

class Reaper {
  public:
    using Ended = std::function<void(sys::ExitStatus)>;

    explicit Reaper(Loop& loop);
    ~Reaper();
    Reaper(const Reaper&) = delete;
    Reaper& operator=(const Reaper&) = delete;

    /// A child that somebody waits for; with the object the interest goes, and the child, when it
    /// ends, is an unknown one.
    class Child {
      public:
        Child() = default;
        Child(Child&& other) noexcept
            : reaper_(std::exchange(other.reaper_, nullptr)), id_(other.id_) {}
        Child& operator=(Child&& other) noexcept;
        Child(const Child&) = delete;
        Child& operator=(const Child&) = delete;
        ~Child() { forget(); }
        void forget() noexcept;
        /// All of it has ended, its group says so: told now, even if a tracer keeps a thread of it
        /// that has ended to itself. `begun`: even if the kernel is not through with its
        /// end, which it may never be (sys::is_ending); it is reaped when it is.
        void look(End how_far = End::reapable);
        [[nodiscard]] explicit operator bool() const noexcept { return reaper_ != nullptr; }

      private:
        friend class Reaper;
        Child(Reaper& reaper, std::uint64_t id) : reaper_(&reaper), id_(id) {}
        Reaper* reaper_ = nullptr;
        std::uint64_t id_ = 0;
    };

    /// `ended` comes once, from the loop or from sweep(), when the child has been reaped; the first
    /// thing that it does is to keep the status, for what it throws goes to `owner` and it does not
    /// come again. One that has ended and that a tracer of its own keeps from us is told as well,
    /// and reaped when the tracer has gone. Reaped already: ESRCH is thrown. The object goes before
    /// the descriptor is closed.
    [[nodiscard]] Child expect(FdRef pidfd, Owner& owner, Ended ended);

    /// False: somebody may still be told of a child that he has not heard of.
    using Hears = std::function<bool()>;
    /// `listen` is called before an unknown child is reaped, for as long as the object lives: a
    /// launch under way reads what it has been told. While one says that it may be told more,
    /// unknown children wait, and their status with them.
    class Listener {
      public:
        Listener() = default;
        Listener(Listener&& other) noexcept
            : reaper_(std::exchange(other.reaper_, nullptr)), id_(other.id_) {}
        Listener& operator=(Listener&& other) noexcept;
        Listener(const Listener&) = delete;
        Listener& operator=(const Listener&) = delete;
        ~Listener() { forget(); }
        void forget() noexcept;

      private:
        friend class Reaper;
        Listener(Reaper& reaper, std::uint64_t id) : reaper_(&reaper), id_(id) {}
        Reaper* reaper_ = nullptr;
        std::uint64_t id_ = 0;
    };
    [[nodiscard]] Listener listen_first(Owner& owner, Hears listen);

    /// Reaps all that has ended by now, at most some hundred: the rest in the loop's next turn.
    void sweep();

  private:
    struct Expected {
        std::uint64_t id = 0;
        Owner* owner = nullptr;
        Ended ended;
        Watch watch;
    };
    void take_signals();
    bool reap_one();
    bool reap_known();
    bool has_heard_all();
    bool reap(pid_t pid);
    void give(pid_t pid, sys::ExitStatus status);
    void give_ended(pid_t pid, End how_far);

    Owner owner_;
    UniqueFd signals_;
    Watch watch_;
    Timer more_;
    std::multimap<pid_t, Expected> expected_;
    std::map<std::uint64_t, std::pair<Owner*, Hears>> listeners_;
    std::uint64_t next_id_ = 1;
    bool sweeping_ = false;
};

}  // namespace covey::task
