// The event loop of a program that launches: epoll over descriptors, and deadlines. Nothing that a
// callback throws leaves it: every watch and timer has an owner, which is told (its container says
// so, a client is dropped), and the loop goes on. Thread rule: one thread. run() blocks until
// stop(), and may be called again; a callback may not block: the loop measures its longest turn.
#pragma once

#include "base/unique_fd.hpp"
#include "covey/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace covey::task {

class Loop;
class Owner;
using Callback = std::function<void()>;

/// A descriptor that is watched, for as long as the object lives. It goes before the descriptor is
/// closed: a child may have a copy, and the kernel would tell of that one for ever.
class Watch {
  public:
    Watch() = default;
    Watch(Watch&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), id_(std::exchange(other.id_, 0)) {}
    Watch& operator=(Watch&& other) noexcept {
        if (this == &other) return *this;
        end();
        loop_ = std::exchange(other.loop_, nullptr);
        id_ = std::exchange(other.id_, 0);
        return *this;
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { end(); }

    /// Other EPOLL… events. Nothing that is watched: nothing.
    void change(std::uint32_t events);
    void end() noexcept;
    [[nodiscard]] explicit operator bool() const noexcept { return loop_ != nullptr; }

  private:
    friend class Loop;
    friend class Owner;
    Watch(Loop& loop, std::uint64_t id) : loop_(&loop), id_(id) {}
    Loop* loop_ = nullptr;
    std::uint64_t id_ = 0;
};

/// A deadline; it does not come when the object goes first.
class Timer {
  public:
    Timer() = default;
    Timer(Timer&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), id_(std::exchange(other.id_, 0)) {}
    Timer& operator=(Timer&& other) noexcept {
        if (this == &other) return *this;
        cancel();
        loop_ = std::exchange(other.loop_, nullptr);
        id_ = std::exchange(other.id_, 0);
        return *this;
    }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { cancel(); }

    void cancel() noexcept;
    /// It has yet to come.
    [[nodiscard]] bool is_set() const noexcept;

  private:
    friend class Loop;
    friend class Owner;
    Timer(Loop& loop, std::uint64_t id) : loop_(&loop), id_(id) {}
    Loop* loop_ = nullptr;
    std::uint64_t id_ = 0;
};

/// Whose watches and timers they are, and who is told what their callbacks throw. Its watches and
/// timers may outlive it (then the log is told alone).
class Owner {
  public:
    using Handler = std::function<void(const Error&)>;

    /// `name` is for the log ("container web"). Without `failed` the log is told; so it is of what
    /// `failed` throws.
    Owner(Loop& loop, std::string name, Handler failed);
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    ~Owner();

    /// `events` are EPOLL…. After a callback that threw, its watch rests: 10 ms, then twice as long
    /// each time, at most 1 s. Throws when the kernel refuses (EPERM: nothing that can be waited
    /// for; ENOSPC, ENOMEM: an account is full).
    [[nodiscard]] Watch watch(FdRef fd, std::uint32_t events, Callback callback);
    [[nodiscard]] Timer after(std::chrono::milliseconds delay, Callback callback);
    /// Runs it now; what it throws goes the same way. False: it threw.
    bool guard(const Callback& callback) noexcept;
    [[nodiscard]] Loop& loop() const noexcept { return loop_; }
    [[nodiscard]] const std::string& name() const noexcept;

  private:
    friend class Loop;
    struct State {
        std::string name;
        Handler failed;
    };
    Loop& loop_;
    std::shared_ptr<State> state_;
};

class Loop {
  public:
    using Clock = std::chrono::steady_clock;

    Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run();
    /// One round: waits at most that long for something to do, and does it.
    void turn(std::chrono::milliseconds longest);
    void stop() noexcept { stopped_ = true; }

    /// For a program that must never be deaf: in a build with fault injection a callback that takes
    /// longer than 5 ms is logged from now on.
    void measure_turns();
    /// The longest time that one callback took, without what it waited for a processor.
    [[nodiscard]] std::chrono::microseconds longest_turn() const noexcept { return longest_turn_; }

  private:
    friend class Watch;
    friend class Timer;
    friend class Owner;
    class Turn;
    struct Watched {
        std::shared_ptr<Owner::State> owner;
        FdRef fd{-1};
        std::uint32_t events = 0;
        Callback callback;
        std::chrono::milliseconds rest{0};  // after the last failure
        bool rests = false;
    };
    struct Due {
        Clock::time_point time;
        std::shared_ptr<Owner::State> owner;
        Callback callback;
    };
    std::uint64_t add(const std::shared_ptr<Owner::State>& owner, FdRef fd, std::uint32_t events,
                      Callback callback);
    std::uint64_t add(const std::shared_ptr<Owner::State>& owner, Clock::duration delay,
                      Callback callback);
    void change(std::uint64_t watch, std::uint32_t events);
    void forget(std::uint64_t watch) noexcept;
    void attach(std::uint64_t watch, const Watched& watched);
    void rest(std::uint64_t watch, const std::shared_ptr<Watched>& watched) noexcept;
    void wake(std::uint64_t watch);
    void dispatch(std::uint64_t watch);
    bool run_guarded(const std::shared_ptr<Owner::State>& owner, const Callback& callback) noexcept;
    static void tell(const Owner::State& owner) noexcept;
    void run_due_timers();
    [[nodiscard]] int milliseconds_to_next_timer(std::chrono::milliseconds longest) const;

    UniqueFd epoll_, schedule_;
    std::map<std::uint64_t, std::shared_ptr<Watched>> watched_;
    std::map<std::uint64_t, Due> timers_;
    std::uint64_t next_id_ = 1;  // never used twice: an event of one that is gone finds nobody
    std::chrono::microseconds longest_turn_{0};
    bool stopped_ = false;
};

}  // namespace covey::task
