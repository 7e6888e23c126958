#include "task/loop.hpp"

#include "covey/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>

namespace covey::task {

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) throw Error::from_errno(errno, "epoll_create");
}

void Loop::watch(FdRef fd, std::uint32_t events, Callback callback) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) < 0)
        throw Error::from_errno(errno, "epoll_ctl");
    callbacks_[fd.get()] = std::move(callback);
}

void Loop::change(FdRef fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd.get(), &event) < 0)
        throw Error::from_errno(errno, "epoll_ctl");
}

void Loop::forget(FdRef fd) {
    if (!fd.valid() || callbacks_.erase(fd.get()) == 0) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
}

Loop::Timer Loop::after(std::chrono::milliseconds delay, Callback callback) {
    const Timer timer = next_timer_++;
    timers_[timer] = {Clock::now() + delay, std::move(callback)};
    return timer;
}

void Loop::cancel(Timer timer) {
    timers_.erase(timer);
}

int Loop::milliseconds_to_next_timer() const {
    if (timers_.empty()) return -1;
    auto next = Clock::time_point::max();
    for (const auto& [timer, entry] : timers_)
        next = std::min(next, entry.first);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    constexpr long kLongest = 60'000;
    return static_cast<int>(std::clamp<long>(left, 0, kLongest));
}

void Loop::run_due_timers() {
    const auto now = Clock::now();
    while (true) {
        const auto due = std::find_if(timers_.begin(), timers_.end(),
                                      [&](const auto& entry) { return entry.second.first <= now; });
        if (due == timers_.end()) return;
        const auto callback = std::move(due->second.second);
        timers_.erase(due);
        callback();
    }
}

void Loop::run() {
    stopped_ = false;
    std::array<epoll_event, 16> events{};
    while (!stopped_) {
        const int count =
            ::epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds_to_next_timer());
        if (count < 0 && errno != EINTR) throw Error::from_errno(errno, "epoll_wait");
        for (int i = 0; i < count && !stopped_; ++i) {
            // An earlier callback of this round may have forgotten this descriptor, and may even
            // have closed it and opened another with its number: then a callback too many runs,
            // which every callback here bears (it finds nothing to read).
            const auto found = callbacks_.find(events[static_cast<std::size_t>(i)].data.fd);
            if (found == callbacks_.end()) continue;
            const auto callback = found->second;
            callback();
        }
        run_due_timers();
    }
}

}  // namespace covey::task
