#include "engine/async.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds kFirstPause{100}, kLongestPause{10'000};

asio::awaitable<void> sleep_on(asio::steady_timer& timer) {
    boost::system::error_code ignored;  // aborted: woken up, or our own wait was cancelled
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> try_again(asio::any_io_executor executor, std::weak_ptr<const void> owner,
                                std::function<bool()> attempt) {
    Signal timer(executor);
    auto pause = kFirstPause;
    for (bool done = false; !done; pause = std::min(pause * 2, kLongestPause)) {
        co_await timer.wait_until(Clock::now() + pause);
        const auto held = owner.lock();
        done = !held || attempt();
    }
}

asio::awaitable<bool> with_value(asio::awaitable<void> operation) {
    co_await std::move(operation);
    co_return true;
}

}  // namespace

void retry(const asio::any_io_executor& executor, std::weak_ptr<const void> owner,
           std::function<bool()> attempt) {
    asio::co_spawn(executor, try_again(executor, std::move(owner), std::move(attempt)),
                   asio::detached);
}

void Signal::notify() {
    for (auto* timer : waiters_)
        timer->cancel();
}

asio::awaitable<void> Signal::wait_until(Clock::time_point deadline) {
    asio::steady_timer timer(executor_, deadline);
    const auto place = waiters_.insert(waiters_.end(), &timer);
    struct Leave {
        std::list<asio::steady_timer*>& list;
        std::list<asio::steady_timer*>::const_iterator at;
        ~Leave() { list.erase(at); }
    } const leave{waiters_, place};
    co_await sleep_on(timer);
}

KeyedLocks::Guard& KeyedLocks::Guard::operator=(Guard&& other) noexcept {
    if (this != &other) {
        release();
        locks_ = std::exchange(other.locks_, nullptr);
        key_ = std::move(other.key_);
    }
    return *this;
}

void KeyedLocks::Guard::release() {
    if (const auto locks = std::exchange(locks_, nullptr)) locks->unlock(key_);
}

asio::awaitable<KeyedLocks::Guard> KeyedLocks::acquire(std::string key) {
    const auto self = shared_from_this();
    const auto [entry, is_free] = held_.try_emplace(key);
    if (!is_free) {
        Waiter waiter{asio::steady_timer(executor_, Clock::time_point::max())};
        entry->second.push_back(&waiter);
        struct Leave {  // a coroutine that is destroyed while it waits leaves no pointer behind
            KeyedLocks& locks;
            const std::string& key;
            Waiter& waiter;
            ~Leave() {
                if (const auto at = locks.held_.find(key); at != locks.held_.end())
                    std::erase(at->second, &waiter);
            }
        } const leave{*this, key, waiter};
        while (!waiter.granted)
            co_await sleep_on(waiter.timer);
    }
    co_return Guard(self, key);
}

void KeyedLocks::unlock(const std::string& key) {
    const auto at = held_.find(key);
    if (at->second.empty()) {
        held_.erase(at);
        return;
    }
    auto* next = at->second.front();
    at->second.pop_front();
    next->granted = true;
    next->timer.cancel();
}

asio::awaitable<void> run_to_end(asio::any_io_executor executor, asio::awaitable<void> operation) {
    co_await run_to_end<bool>(std::move(executor), with_value(std::move(operation)));
}

}  // namespace covey::daemon
