// The shim's event loop: epoll over descriptors, and a few deadlines. Nothing in it allocates while
// it waits. Thread rule: one thread. run() blocks until stop(), and may be called again.
#pragma once

#include "base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>

namespace covey::task {

class Loop {
  public:
    using Clock = std::chrono::steady_clock;
    using Callback = std::function<void()>;

    Loop();
    /// `events` are EPOLL…; level-triggered. The callback may watch and forget anything, itself
    /// too.
    void watch(FdRef fd, std::uint32_t events, Callback callback);
    void change(FdRef fd, std::uint32_t events);
    /// Before the descriptor is closed. Not watched: nothing.
    void forget(FdRef fd);

    using Timer = std::uint64_t;
    Timer after(std::chrono::milliseconds delay, Callback callback);
    void cancel(Timer timer);

    void run();
    void stop() noexcept { stopped_ = true; }

  private:
    void run_due_timers();
    [[nodiscard]] int milliseconds_to_next_timer() const;

    UniqueFd epoll_;
    std::map<int, Callback> callbacks_;
    std::map<Timer, std::pair<Clock::time_point, Callback>> timers_;
    Timer next_timer_ = 1;
    bool stopped_ = false;
};

}  // namespace covey::task
