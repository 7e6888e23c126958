#include "task/freezing.hpp"

#include <array>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

namespace covey::task {
namespace {

/// Where no event tells (pure v1), or to be safe against a missed one.
constexpr std::chrono::milliseconds kAgain{2};

}  // namespace

Freezing::Freezing(Owner& owner, const cgroup::Group& group, std::chrono::milliseconds limit,
                   std::function<void(bool)> done)
    : owner_(owner),
      group_(group),
      deadline_(Loop::Clock::now() + limit),
      done_(std::move(done)),
      events_(group.open_events()) {
    if (events_)
        watch_ = owner_.watch(events_, EPOLLPRI, [this] {
            // The event is pending until the file is read.
            std::array<char, 64> text{};
            [[maybe_unused]] const auto got = ::pread(events_.get(), text.data(), text.size(), 0);
            look();
        });
    group_.begin_freeze();
    next_ = owner_.after(std::chrono::milliseconds{0}, [this] { look(); });
}

void Freezing::look() {
    if (!done_) return;
    const bool stands = group_.stands_still();
    if (!stands && Loop::Clock::now() < deadline_) {
        next_ = owner_.after(kAgain, [this] { look(); });
        return;
    }
    watch_.end();
    next_.cancel();
    // It may be this object's end.
    std::exchange(done_, nullptr)(stands);
}

}  // namespace covey::task
