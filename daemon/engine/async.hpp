// The few things that coroutines of the engine need to wait for each other: a signal, locks by
// name, and running an operation to its end although nobody waits for it any more.
// Rules for everybody's coroutines, because g++ 12 gets them wrong: no brace-initialised temporary
// inside a co_await expression (it is copied bit by bit and destroyed twice), and no co_await in a
// condition (lint knows the second).
// Thread rule: the io_context's one thread. Nothing blocks; waiting suspends the coroutine.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace covey::daemon {

using Clock = std::chrono::steady_clock;

/// "Something changed": wakes all who wait. Whoever waits keeps the signal's owner alive, and looks
/// again at what it waits for after every wake-up.
class Signal {
  public:
    explicit Signal(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    void notify();
    /// Returns after a notify() or at the deadline, whichever is first.
    boost::asio::awaitable<void> wait_until(Clock::time_point deadline);
    boost::asio::awaitable<void> wait() { return wait_until(Clock::time_point::max()); }

  private:
    boost::asio::any_io_executor executor_;
    std::list<boost::asio::steady_timer*> waiters_;
};

/// Locks by name, first come first served. A name that nobody holds costs nothing.
class KeyedLocks : public std::enable_shared_from_this<KeyedLocks> {
  public:
    explicit KeyedLocks(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

    class Guard {
      public:
        Guard() = default;
        Guard(Guard&& other) noexcept
            : locks_(std::exchange(other.locks_, nullptr)), key_(std::move(other.key_)) {}
        Guard& operator=(Guard&& other) noexcept;
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        ~Guard() { release(); }
        void release();

      private:
        friend class KeyedLocks;
        Guard(std::shared_ptr<KeyedLocks> locks, std::string key)
            : locks_(std::move(locks)), key_(std::move(key)) {}
        std::shared_ptr<KeyedLocks> locks_;
        std::string key_;
    };
    boost::asio::awaitable<Guard> acquire(std::string key);
    [[nodiscard]] bool is_held(const std::string& key) const { return held_.contains(key); }

  private:
    struct Waiter {
        boost::asio::steady_timer timer;
        bool granted = false;
    };
    void unlock(const std::string& key);

    boost::asio::any_io_executor executor_;
    std::map<std::string, std::deque<Waiter*>> held_;
};

/// Calls `attempt` again and again, in 100 ms at first and in 10 s at last, until it says true or
/// `owner` is gone. It holds the owner only while it runs, and must not throw.
void retry(const boost::asio::any_io_executor& executor, std::weak_ptr<const void> owner,
           std::function<bool()> attempt);

/// Runs `operation` to its end whatever becomes of the coroutine that waits for it here: a client
/// that goes away cancels its own waiting only.
template <typename T>
boost::asio::awaitable<T> run_to_end(boost::asio::any_io_executor executor,
                                     boost::asio::awaitable<T> operation) {
    struct Outcome {
        explicit Outcome(boost::asio::any_io_executor where) : done(std::move(where)) {}
        Signal done;
        bool ended = false;
        std::exception_ptr error;
        std::optional<T> value;
    };
    auto outcome = std::make_shared<Outcome>(executor);
    boost::asio::co_spawn(executor, std::move(operation),
                          [outcome](std::exception_ptr error, T value) {
                              outcome->ended = true;
                              outcome->error = std::move(error);
                              outcome->value.emplace(std::move(value));
                              outcome->done.notify();
                          });
    while (!outcome->ended)
        co_await outcome->done.wait();
    if (outcome->error) std::rethrow_exception(outcome->error);
    co_return std::move(*outcome->value);
}
boost::asio::awaitable<void> run_to_end(boost::asio::any_io_executor executor,
                                        boost::asio::awaitable<void> operation);

}  // namespace covey::daemon
