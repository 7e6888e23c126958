#include "task/stillness.hpp"

#include "base/fault.hpp"
#include "base/log.hpp"
#include "base/patience.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace covey::task {
namespace {

constexpr int kMostRounds = 16;
// On a busy machine a process may not be scheduled, and so not stop, for longer than the others may
// be held. They go on for as long as they were held at least, then it is tried again.
constexpr int kMostTries = 5;
constexpr std::chrono::milliseconds kBetweenTries{50};
/// For the end of a launch that has been killed. Whoever deletes it is told who is left of it.
constexpr std::chrono::milliseconds kLong{1000};

void tell_long() {
    log::warning(
        "those who could reach a newborn of the pod stand still until its launch, which has "
        "failed, has ended");
}

}  // namespace

Stillness::Stillness(Owner& owner, const cgroup::Host& host, Rules rules)
    : owner_(owner), host_(host), rules_(std::move(rules)) {
}

std::uint64_t Stillness::hold(Told told) {
    const auto id = next_hold_++;
    holders_[id] = std::move(told);
    if (holders_.size() == 1) begin_later();
    return id;
}

void Stillness::let_go(std::uint64_t hold) noexcept {
    const auto found = holders_.find(hold);
    if (found == holders_.end()) return;
    const bool is_first = found == holders_.begin();
    holders_.erase(found);
    if (!is_first) return;
    thaw_all();
    if (!holders_.empty()) (void)owner_.guard([this] { begin_later(); });
}

void Stillness::begin_later() {
    tries_ = 0;
    step_later(&Stillness::begin);
}

/// What a step throws has failed this standstill, and is nobody's event.
void Stillness::step_later(void (Stillness::*step)()) {
    next_ = owner_.after(std::chrono::milliseconds{0}, [this, step] {
        try {
            (this->*step)();
        } catch (const Error& error) {
            fail(error);
        }
    });
}

/// Others are looked for first: nobody waits for that.
void Stillness::begin() {
    rounds_ = 0;
    if (!others_ && rules_.others) others_ = rules_.others();
    if (others_) others_->begin();
    look();
}

void Stillness::look() {
    if (others_ && !others_->look(found_)) return step_later(&Stillness::look);
    fault_point("container.freeze");
    if (rounds_ == 0)
        for (const auto& one : rules_.known())
            freeze(one);
    const auto before = frozen_.size();
    for (const auto& one : std::exchange(found_, {}))
        freeze(one);
    // Again until nobody new is found: who ran meanwhile may have forked or joined.
    looks_again_ = frozen_.size() != before || std::exchange(has_moved_, false);
    if (looks_again_ && ++rounds_ == kMostRounds)
        throw Error(Code::timeout, "the pod's processes keep coming in new cgroups")
            .with_fix("try again when what another runtime does in the pod is over");
    go_on();
}

/// Who is to stop is waited for; then the next round, or it is done.
void Stillness::go_on() {
    const bool waits = std::any_of(frozen_.begin(), frozen_.end(),
                                   [](const auto& one) { return one.freezing != nullptr; });
    if (waits || still_ || holders_.empty()) return;
    if (looks_again_ && others_) {
        others_->begin();
        return step_later(&Stillness::look);
    }
    still_ = true;
    const auto told = holders_.begin()->second;
    told(std::nullopt);
}

void Stillness::on_limit() {
    // On a busy machine its own time is over later: it is that one, not the launch.
    for (auto& one : frozen_)
        if (!still_ && one.freezing != nullptr) return on_stopped(one, false);
    fail(
        Error(Code::timeout,
              fmt::format("pid mode nested: those in the pod who could look into a newborn stood "
                          "still for {} ms, which is as long as they may",
                          patience(kLimit).count()))
            .with_fix("try again when the machine is less busy, or use pid mode pod or container"));
}

void Stillness::check_spared(const Members::Found& one) const {
    const bool is_unseen = one.group.starts_with("/..");  // outside what the mount shows
    if (!is_unseen &&
        std::none_of(rules_.spared.begin(), rules_.spared.end(),
                     [&](const auto& spared) { return cgroup::is_in_group(spared, one.group); }))
        return;
    throw Error(Code::failed_precondition,
                fmt::format("pid mode nested: {} of the pod is in cgroup {}, which cannot stand "
                            "still for the launch",
                            one.name, one.group))
        .with_fix("run what is in the pod in cgroups of its own, or use pid mode pod or container");
}

void Stillness::freeze(Members::Found one) {
    if (rules_.top_of) one.group = rules_.top_of(one.group);
    check_spared(one);
    if (std::any_of(frozen_.begin(), frozen_.end(),
                    [&](const auto& frozen) { return frozen.who.group == one.group; }))
        return;
    std::optional<cgroup::Group> group;
    try {
        group.emplace(cgroup::Group::open(host_, cgroup::Placement{one.group}));
    } catch (const Error& error) {
        if (error.code() != Code::not_found) throw;
        // It was there a moment ago, and so was a process that is no zombie: it has moved.
        has_moved_ = true;
        return;
    }
    if (!limit_.is_set()) limit_ = owner_.after(patience(kLimit), [this] { on_limit(); });
    const bool is_paused = group->is_frozen();
    if (!is_paused && rules_.noted) rules_.noted(*group);
    // First on the list: one that does not stop in time is thawed as well.
    auto& frozen =
        frozen_.emplace_back(Frozen{std::move(one), std::move(*group), !is_paused, nullptr});
    frozen.freezing =
        std::make_unique<Freezing>(owner_, frozen.group, patience(kLimit) * 3 / 4,
                                   [this, &frozen](bool stands) { on_stopped(frozen, stands); });
}

void Stillness::on_stopped(Frozen& one, bool stands) {
    if (!stands && ++tries_ < kMostTries) return try_again();
    if (!stands)
        return fail(Error(Code::failed_precondition,
                          fmt::format("pid mode nested: {} (cgroup {}) could look into a newborn "
                                      "of the pod, and does not stand still for the launch: {}",
                                      one.who.name, one.group.path(), one.group.survivors()))
                        .with_fix("one that waits in the kernel (state D), also for a tracer of "
                                  "its own, cannot be frozen: end it, or use pid mode pod or "
                                  "container"));
    one.freezing.reset();
    try {
        go_on();
    } catch (const Error& error) {
        fail(error);
    }
}

void Stillness::try_again() {
    thaw_all();
    next_ = owner_.after(kBetweenTries, [this] { step_later(&Stillness::begin); });
}

/// The launch is told, and kills who is privileged in the pod; when nobody of it is left it lets
/// the others go. Nobody is there yet before all stood still.
void Stillness::fail(const Error& error) {
    if (holders_.empty()) return thaw_all();
    const auto [id, told] = *holders_.begin();
    const bool is_exposed = still_;
    limit_.cancel();
    if (is_exposed) next_ = owner_.after(kLong, [] { tell_long(); });
    told(error);
    if (!is_exposed) let_go(id);
}

void Stillness::thaw_all() noexcept {
    next_.cancel();
    limit_.cancel();
    found_.clear();
    still_ = looks_again_ = has_moved_ = false;
    for (auto& one : std::exchange(frozen_, {})) {
        one.freezing.reset();
        try {
            if (one.ours) one.group.thaw();
        } catch (const std::exception& error) {
            // The next one must go on all the same.
            log::error("cannot thaw a group", {{"who", one.who.name}, {"error", error.what()}});
        }
    }
}

void Stillness::join(const Members::Found& newcomer) {
    if (is_held()) freeze(newcomer);
}

}  // namespace covey::task
