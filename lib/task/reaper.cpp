#include "task/reaper.hpp"

#include "task/children.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <vector>

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::task {
namespace {

/// Of each kind, in one turn of the loop: a container may end children faster than we count them.
constexpr int kMostInATurn = 256;

sigset_t child_signal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return set;
}

UniqueFd take_over_signal() {
    // Ignored, the kernel would reap all children by itself (wait(2)).
    std::signal(SIGCHLD, SIG_DFL);
    const auto set = child_signal();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    UniqueFd signals{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!signals) throw Error::from_errno(errno, "signalfd");
    return signals;
}

}  // namespace

Reaper::Child& Reaper::Child::operator=(Child&& other) noexcept {
    if (this == &other) return *this;
    forget();
    reaper_ = std::exchange(other.reaper_, nullptr);
    id_ = other.id_;
    return *this;
}

void Reaper::Child::forget() noexcept {
    auto* const reaper = std::exchange(reaper_, nullptr);
    if (reaper == nullptr) return;
    std::erase_if(reaper->expected_, [&](const auto& entry) { return entry.second.id == id_; });
}

void Reaper::Child::look(End how_far) {
    if (reaper_ == nullptr) return;
    const auto found = std::find_if(reaper_->expected_.begin(), reaper_->expected_.end(),
                                    [&](const auto& entry) { return entry.second.id == id_; });
    if (found != reaper_->expected_.end()) reaper_->give_ended(found->first, how_far);
}

Reaper::Listener& Reaper::Listener::operator=(Listener&& other) noexcept {
    if (this == &other) return *this;
    forget();
    reaper_ = std::exchange(other.reaper_, nullptr);
    id_ = other.id_;
    return *this;
}

void Reaper::Listener::forget() noexcept {
    if (auto* const reaper = std::exchange(reaper_, nullptr); reaper != nullptr)
        reaper->listeners_.erase(id_);
}

Reaper::Reaper(Loop& loop)
    : owner_(loop, "reaper", {}),
      signals_(take_over_signal()),
      watch_(owner_.watch(signals_, EPOLLIN, [this] { take_signals(); })) {
}

Reaper::~Reaper() = default;

Reaper::Child Reaper::expect(FdRef pidfd, Owner& owner, Ended ended) {
    const auto number = sys::pidfd_number(pidfd).or_throw("look up a child of", owner.name());
    const auto id = next_id_++;
    // Edge-triggered: it tells once, and most often when SIGCHLD has told already.
    auto watch = owner_.watch(pidfd, EPOLLIN | EPOLLET,
                              [this, number] { give_ended(number, End::reapable); });
    expected_.emplace(number, Expected{id, &owner, std::move(ended), std::move(watch)});
    return {*this, id};
}

/// Perhaps one that a tracer keeps.
void Reaper::give_ended(pid_t pid, End how_far) {
    sweep();
    if (!expected_.contains(pid)) return;
    if (const auto status = status_of_ended(pid, how_far)) give(pid, *status);
}

Reaper::Listener Reaper::listen_first(Owner& owner, Hears listen) {
    const auto id = next_id_++;
    listeners_[id] = {&owner, std::move(listen)};
    return {*this, id};
}

void Reaper::take_signals() {
    std::array<signalfd_siginfo, 4> told{};
    while (::read(signals_.get(), told.data(), sizeof told) > 0) {
    }
    sweep();
}

void Reaper::sweep() {
    if (std::exchange(sweeping_, true)) return;  // from a callback of this one
    int left = kMostInATurn;
    while (left > 0 && release_stopped())
        --left;
    int reaped = kMostInATurn;
    while (reaped > 0 && reap_one())
        --reaped;
    sweeping_ = false;
    if (left == 0 || reaped == 0)
        more_ = owner_.after(std::chrono::milliseconds{0}, [this] { sweep(); });
}

/// False: nobody has ended who may be reaped now.
bool Reaper::reap_one() {
    // Looked at first, for its number is its own until it is reaped.
    const auto ended = any_child(WEXITED | WNOWAIT);
    if (!ended) return false;
    // Since the stops were looked for.
    if (ended->si_code == CLD_TRAPPED) return release_stopped();
    // An unknown one stands before all others in the kernel's list: those are asked for one by one.
    if (!expected_.contains(ended->si_pid) && !has_heard_all() &&
        !expected_.contains(ended->si_pid))
        return reap_known();
    return reap(ended->si_pid);
}

bool Reaper::reap_known() {
    std::vector<pid_t> pids;
    for (const auto& [pid, expected] : expected_)
        pids.push_back(pid);
    return std::count_if(pids.begin(), pids.end(), [&](pid_t pid) { return reap(pid); }) > 0;
}

bool Reaper::has_heard_all() {
    // Whoever listens may stop to, or another may begin to.
    std::vector<std::uint64_t> ids;
    for (const auto& [id, listener] : listeners_)
        ids.push_back(id);
    bool all = true;
    for (const auto id : ids)
        if (const auto found = listeners_.find(id); found != listeners_.end()) {
            const auto [owner, listen] = found->second;
            const auto& hears = listen;
            (void)owner->guard([&] { all = hears() && all; });
        }
    return all;
}

bool Reaper::reap(pid_t pid) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | __WALL) < 0 ||
        info.si_pid == 0)
        return false;
    if (!release(info)) give(pid, status_of(info));
    return true;
}

void Reaper::give(pid_t pid, sys::ExitStatus status) {
    // All who expect it: a launch and a container may hold the same one.
    while (true) {
        const auto found = expected_.find(pid);
        if (found == expected_.end()) return;
        auto expected = std::move(found->second);
        expected_.erase(found);
        expected.watch.end();
        (void)expected.owner->guard([&] { expected.ended(status); });
    }
}

}  // namespace covey::task
