#include "shim/group_work.hpp"

#include "cgroup/cgroup.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"

#include <cerrno>
#include <chrono>
#include <utility>

namespace covey::shim {
namespace {

using cgroup::Removal;
using cgroup::TurnClock;
constexpr std::chrono::milliseconds kNextRound{0};  // others of the loop come in between

TurnClock::time_point end_of_turn() {
    return TurnClock::now() + cgroup::kTurn;
}

}  // namespace

GroupWork::GroupWork(task::Owner& owner, const cgroup::Host& host, std::string group,
                     cgroup::Spares spares)
    : owner_(owner), host_(host), group_(std::move(group)), spares_(std::move(spares)) {
}

GroupWork::GroupWork(task::Owner& owner, const cgroup::Host& host, std::string group,
                     cgroup::Spares spares, cgroup::Placement container)
    : GroupWork(owner, host, std::move(group), std::move(spares)) {
    container_ = std::move(container);
}

void GroupWork::kill() {
    signals_.clear();
    if (!killing_ && container_)
        killing_.emplace(host_, group_, *container_, spares_);
    else if (!killing_)
        killing_.emplace(host_, group_, spares_);
    if (everywhere_) killing_->look_everywhere();
    if (killing_->turn(end_of_turn()))
        killing_.reset();
    else
        next_kill_ = owner_.after(kNextRound, [this] { kill(); });
}

void GroupWork::signal(int number) {
    const auto group = cgroup::open_group(host_.identity_mount(), group_);
    if (!group && group.error() == ENOENT) return;
    if (!group) throw Error::from_errno(group.error(), "open cgroup", group_);
    signals_.emplace_back(group.value(), number, cgroup::Signalling::Thaw::no, spares_);
    go_on_signalling();
}

/// One that fails is given up.
void GroupWork::go_on_signalling() {
    const auto later = [this] {
        if (!signals_.empty())
            next_signal_ = owner_.after(kNextRound, [this] { go_on_signalling(); });
    };
    const auto until = end_of_turn();
    try {
        while (!signals_.empty() && TurnClock::now() < until)
            if (signals_.front().turn(until)) signals_.pop_front();
    } catch (...) {
        signals_.pop_front();
        later();
        throw;
    }
    later();
}

void GroupWork::rest() noexcept {
    killing_.reset();
    signals_.clear();
    next_kill_.cancel();
    next_signal_.cancel();
}

void GroupWork::look_everywhere() noexcept {
    everywhere_ = true;
}

bool GroupWork::remove() noexcept {
    if (left_ == Removal::Left::nothing) return true;
    const bool went_on = owner_.guard([this] {
        if (!removal_) removal_.emplace(host_, group_);
        left_ = removal_->turn(end_of_turn());
    });
    if (!went_on) removal_.reset();
    return left_ == Removal::Left::nothing;
}

}  // namespace covey::shim
