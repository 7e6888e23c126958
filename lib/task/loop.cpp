#include "task/loop.hpp"

#include "base/log.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace covey::task {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRest{10}, kLongestRest{1000};
[[maybe_unused]] constexpr std::chrono::microseconds kLongestTurn{5000};

/// The exception that is being handled.
Error current_error() {
    try {
        throw;
    } catch (const Error& error) {
        return error;
    } catch (const std::bad_alloc&) {
        return Error::from_errno(ENOMEM, "handle", "an event");
    } catch (const std::exception& error) {
        return Error(Code::internal, error.what());
    } catch (...) {
        return Error(Code::internal, "something was thrown that is no error");
    }
}

#ifdef COVEY_FAULTS
UniqueFd open_schedule() {
    auto file = sys::open("/proc/self/schedstat", O_RDONLY);
    return file ? std::move(file).value() : UniqueFd{};  // a kernel without it measures nothing
}
#else
UniqueFd open_schedule() {
    return {};
}
#endif

/// schedstat: time on a processor, time in which it waited for one, both in nanoseconds; turns.
std::chrono::nanoseconds waited_for_processor(FdRef schedule) noexcept {
    std::array<char, 96> text{};
    if (::pread(schedule.get(), text.data(), text.size() - 1, 0) <= 0) return {};
    const char* const gap = std::strchr(text.data(), ' ');
    return std::chrono::nanoseconds{gap == nullptr ? 0 : std::atoll(gap)};
}

}  // namespace

/// Measures one callback.
class Loop::Turn {
  public:
    Turn(Loop& loop, const Owner::State& owner) : loop_(loop), owner_(owner) {
        if (!loop_.schedule_) return;
        waited_ = waited_for_processor(loop_.schedule_);
        began_ = Clock::now();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
        if (!loop_.schedule_) return;
        const auto took = Clock::now() - began_ - (waited_for_processor(loop_.schedule_) - waited_);
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took);
        loop_.longest_turn_ = std::max(loop_.longest_turn_, us);
        if (us > kLongestTurn) tell(us);
    }

  private:
    void tell(std::chrono::microseconds took) const noexcept {
        try {
            log::warning("the loop was deaf",
                         {{"owner", owner_.name}, {"microseconds", std::to_string(took.count())}});
        } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
            // Only a test reads it.
        }
    }

    Loop& loop_;
    const Owner::State& owner_;
    std::chrono::nanoseconds waited_{0};
    Clock::time_point began_;
};

void Watch::change(std::uint32_t events) {
    if (loop_ != nullptr) loop_->change(id_, events);
}

void Watch::end() noexcept {
    if (auto* const loop = std::exchange(loop_, nullptr); loop != nullptr) loop->forget(id_);
}

void Timer::cancel() noexcept {
    if (auto* const loop = std::exchange(loop_, nullptr); loop != nullptr) loop->timers_.erase(id_);
}

bool Timer::is_set() const noexcept {
    return loop_ != nullptr && loop_->timers_.contains(id_);
}

Owner::Owner(Loop& loop, std::string name, Handler failed)
    : loop_(loop), state_(std::make_shared<State>(State{std::move(name), std::move(failed)})) {
}

Owner::~Owner() {
    state_->failed = nullptr;
}

Watch Owner::watch(FdRef fd, std::uint32_t events, Callback callback) {
    return {loop_, loop_.add(state_, fd, events, std::move(callback))};
}

Timer Owner::after(milliseconds delay, Callback callback) {
    return {loop_, loop_.add(state_, delay, std::move(callback))};
}

bool Owner::guard(const Callback& callback) noexcept {
    return loop_.run_guarded(state_, callback);
}

const std::string& Owner::name() const noexcept {
    return state_->name;
}

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) throw Error::from_errno(errno, "epoll_create");
}

void Loop::measure_turns() {
    schedule_ = open_schedule();
}

std::uint64_t Loop::add(const std::shared_ptr<Owner::State>& owner, FdRef fd, std::uint32_t events,
                        Callback callback) {
    const auto id = next_id_++;
    auto watched = std::make_shared<Watched>();
    watched->owner = owner;
    watched->fd = fd;
    watched->events = events;
    watched->callback = std::move(callback);
    const auto place = watched_.emplace(id, std::move(watched)).first;
    try {
        attach(id, *place->second);
    } catch (...) {
        watched_.erase(place);
        throw;
    }
    return id;
}

std::uint64_t Loop::add(const std::shared_ptr<Owner::State>& owner, Clock::duration delay,
                        Callback callback) {
    const auto id = next_id_++;
    timers_.emplace(id, Due{Clock::now() + delay, owner, std::move(callback)});
    return id;
}

void Loop::attach(std::uint64_t watch, const Watched& watched) {
    epoll_event event{};
    event.events = watched.events;
    event.data.u64 = watch;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, watched.fd.get(), &event) < 0)
        throw Error::from_errno(errno, "watch a descriptor of", watched.owner->name);
}

void Loop::change(std::uint64_t watch, std::uint32_t events) {
    const auto found = watched_.find(watch);
    if (found == watched_.end()) return;
    auto& watched = *found->second;
    if (watched.events == events) return;
    epoll_event event{};
    event.events = events;
    event.data.u64 = watch;
    if (!watched.rests && ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, watched.fd.get(), &event) < 0)
        throw Error::from_errno(errno, "watch a descriptor of", watched.owner->name);
    watched.events = events;
}

void Loop::forget(std::uint64_t watch) noexcept {
    const auto found = watched_.find(watch);
    if (found == watched_.end()) return;
    const auto watched = std::move(found->second);
    watched_.erase(found);
    if (watched->rests) return;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched->fd.get(), nullptr) < 0)
        log::error("a descriptor was closed while it was watched",
                   {{"owner", watched->owner->name}, {"errno", std::to_string(errno)}});
}

/// One that fails at each event would keep the loop from all others.
void Loop::rest(std::uint64_t watch, const std::shared_ptr<Watched>& watched) noexcept {
    watched->rest = std::clamp(watched->rest * 2, kFirstRest, kLongestRest);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched->fd.get(), nullptr) < 0) return;
    watched->rests = true;
    (void)run_guarded(watched->owner, [&] {
        (void)add(watched->owner, watched->rest, [this, watch] { wake(watch); });
    });
}

void Loop::wake(std::uint64_t watch) {
    const auto found = watched_.find(watch);
    if (found == watched_.end()) return;
    auto& watched = *found->second;
    try {
        attach(watch, watched);
        watched.rests = false;
    } catch (const Error&) {
        (void)add(watched.owner, kLongestRest, [this, watch] { wake(watch); });
        throw;
    }
}

void Loop::dispatch(std::uint64_t watch) {
    const auto found = watched_.find(watch);
    if (found == watched_.end()) return;  // forgotten by an earlier callback of this round
    const auto watched = found->second;
    if (run_guarded(watched->owner, watched->callback))
        watched->rest = milliseconds{0};
    else if (watched_.contains(watch))
        rest(watch, watched);
}

bool Loop::run_guarded(const std::shared_ptr<Owner::State>& owner,
                       const Callback& callback) noexcept {
    const auto state = owner;  // the callback may end its owner
    const Turn turn{*this, *state};
    try {
        callback();
        return true;
    } catch (...) {
        tell(*state);
        return false;
    }
}

/// Inside a handler.
void Loop::tell(const Owner::State& owner) noexcept {
    try {
        const auto error = current_error();
        if (const auto handler = owner.failed)
            handler(error);
        else
            log::error("an event failed", {{"owner", owner.name}, {"error", error.detail()}});
    } catch (const std::exception& second) {
        // Without memory there is not even a line: what is next may have some again.
        try {
            log::error("an event's owner failed",
                       {{"owner", owner.name}, {"error", second.what()}});
        } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
        }
    }
}

int Loop::milliseconds_to_next_timer(milliseconds longest) const {
    auto left = longest.count();
    for (const auto& [timer, due] : timers_)
        left = std::min(left, std::chrono::ceil<milliseconds>(due.time - Clock::now()).count());
    return static_cast<int>(std::max<decltype(left)>(left, 0));
}

void Loop::run_due_timers() {
    const auto now = Clock::now();
    // One that is set meanwhile waits for the next round: descriptors come in between.
    const auto last = next_id_;
    while (true) {
        const auto due = std::find_if(timers_.begin(), timers_.end(), [&](const auto& entry) {
            return entry.second.time <= now && entry.first < last;
        });
        if (due == timers_.end()) return;
        const auto entry = std::move(due->second);
        timers_.erase(due);
        (void)run_guarded(entry.owner, entry.callback);
    }
}

void Loop::turn(milliseconds longest) {
    std::array<epoll_event, 16> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(),
                                   milliseconds_to_next_timer(longest));
    if (count < 0 && errno != EINTR) throw Error::from_errno(errno, "epoll_wait");
    for (int i = 0; i < count && !stopped_; ++i)
        dispatch(events[static_cast<std::size_t>(i)].data.u64);
    if (!stopped_) run_due_timers();
}

void Loop::run() {
    constexpr milliseconds kLongest{60'000};
    stopped_ = false;
    while (!stopped_)
        turn(kLongest);
}

}  // namespace covey::task
