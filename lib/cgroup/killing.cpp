// The end of a group's processes. cgroup.kill is one write and misses nobody who forks, but it
// sends SIGKILL to each process's *first* thread: where that one has ended by itself (pthread_exit
// in main) and another goes on, the signal is queued for the dead one and nothing happens. So who
// is left is signalled by pidfd, thread group by thread group, until nobody new is found.
#include "cgroup/cgroup.hpp"
#include "cgroup/freezer_v1.hpp"
#include "cgroup/members.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/turns.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace covey::cgroup {
namespace {

using std::chrono::milliseconds;
constexpr int kMostRounds = 16;
constexpr milliseconds kAgain{20};  // who was forked while the last kill went round
constexpr milliseconds kWholeKill{5000};

/// Not an error: the group is gone, or threaded, which has no cgroup.kill.
void write_kill(FdRef group, const std::string& dir) {
    const auto killed = sys::write_existing_at(group, "cgroup.kill", "1");
    if (killed || killed.error() == EOPNOTSUPP) return;
    if (is_gone(killed.error()) && !read_control(group, "cgroup.events")) return;
    if (killed.error() == ENOENT)
        throw Error(Code::unsupported_by_host,
                    fmt::format("kill cgroup {}: missing: cgroup.kill (ENOENT)", dir))
            .with_fix("use Linux 5.14 or newer");
    killed.or_throw("kill cgroup", dir);
}

/// A pod's group, or a container's: no engine's slice.
bool is_coveys(std::string_view path) {
    return path.ends_with(".pod") || is_containers(path);
}

Placement above(const Placement& group) {
    Placement parent{std::string{parent_path(group.path)}};
    for (const auto& [mount, path] : group.v1_paths)
        parent.v1_paths.emplace(mount, parent_path(path));
    return parent;
}

bool is_empty_v2(FdRef group) {
    const auto events = read_control(group, "cgroup.events");
    return !events || keyed_number(*events, "populated") == 0U;
}

}  // namespace

Killing::Killing(const Host& host, Placement group, Spares spares)
    : host_(host), group_(std::move(group)), spares_(std::move(spares)) {
    // A neighbour in the same PID namespace may have pulled one of ours into a freezer of its.
    if (spares_ || parent_path(group_.path).ends_with(".pod")) around_ = above(group_);
}

Killing::Killing(const Host& host, Placement group, Placement container, Spares spares)
    : host_(host),
      group_(std::move(group)),
      container_(std::move(container)),
      spares_(std::move(spares)),
      around_(container_) {
}

Killing::~Killing() {
    give_up();
}

bool Killing::is_v1() const {
    return host_.unified.empty();
}

bool Killing::turn(TurnClock::time_point until) {
    try {
        while (step_ != Step::end)
            if (!go_on(until) || (TurnClock::now() >= until && step_ != Step::end)) return false;
    } catch (...) {
        give_up();
        throw;
    }
    give_up();
    return true;
}

bool Killing::go_on(TurnClock::time_point until) {
    switch (step_) {
        case Step::open:
            open();
            return true;
        case Step::begin:
            begin_round();
            return true;
        case Step::thaw:
            return thaw(until);
        case Step::signal:
            return signal(until);
        case Step::look_around:
            return look_around(until);
        case Step::end:
            break;
    }
    return true;
}

void Killing::open() {
    auto opened = open_group(host_.identity_mount(), group_.path);
    step_ = Step::end;
    if (!opened && is_gone(opened.error())) {
        if (everywhere_) step_ = Step::begin;
        return;
    }
    identity_ = std::move(opened).or_throw("open cgroup", host_.identity_mount() + group_.path);
    step_ = Step::begin;
}

void Killing::begin_round() {
    step_ = Step::end;
    const bool is_empty = !identity_ || (!is_v1() && is_empty_v2(identity_));
    if (round_ == kMostRounds || (is_empty && !everywhere_)) return;
    known_ = found_.size();
    step_ = Step::signal;
    mounts_.clear();
    if (everywhere_)
        for (const auto& [controller, mount] : host_.v1)
            mounts_.push_back(mount);
    std::erase(mounts_, host_.identity_mount());
    if (!identity_) return;
    mounts_.push_back(host_.identity_mount());
    if (is_v1()) {
        // Who stands still does not fork: half frozen is good enough for one round, and what
        // escapes meets the next. Below a frozen group they die when that goes on.
        is_frozen_ = read_control(identity_, "freezer.parent_freezing") != "1";
        if (is_frozen_) (void)sys::write_existing_at(identity_, "freezer.state", "FROZEN");
        return;
    }
    if (spares_)
        (void)sys::write_existing_at(identity_, "cgroup.freeze", "1");
    else
        write_kill(identity_, host_.unified + group_.path);
    if (container_ || round_ > 0) return;
    if (const auto freezer = foreign_freezer(host_, group_)) thaw_all(freezer, Step::signal);
}

void Killing::thaw_all(FdRef freezer, Step then) {
    freezers_ = Walk::at(freezer);
    after_thaw_ = then;
    step_ = Step::thaw;
}

bool Killing::thaw(TurnClock::time_point until) {
    while (freezers_->next()) {
        thaw_v1(freezers_->here().group);
        if (TurnClock::now() >= until) return false;
    }
    freezers_.reset();
    step_ = after_thaw_;
    return true;
}

bool Killing::signal(TurnClock::time_point until) {
    while (signalling_ || begin_next()) {
        if (!signalling_->turn(until)) return false;
        found_.insert(signalling_->told().begin(), signalling_->told().end());
        signalling_.reset();
    }
    step_ = Step::look_around;
    if (std::exchange(is_frozen_, false)) thaw_all(identity_, Step::look_around);
    if (around_ && !is_v1() && host_.v1.contains("freezer"))
        left_.assign(found_.begin(), found_.end());
    return true;
}

/// False: it has been signalled in all hierarchies.
bool Killing::begin_next() {
    using Thaw = Signalling::Thaw;
    while (!mounts_.empty()) {
        const auto mount = std::move(mounts_.back());
        mounts_.pop_back();
        if (mount == host_.identity_mount()) {
            const bool thaws = !is_v1() && round_ > 0;
            signalling_.emplace(identity_, SIGKILL,
                                thaws ? (spares_ ? Thaw::below : Thaw::yes) : Thaw::no, spares_);
            return true;
        }
        const auto group = open_group(mount, group_.in(mount));
        if (!group) continue;  // it may have none there
        signalling_.emplace(group.value(), SIGKILL, Thaw::no, spares_);
        return true;
    }
    return false;
}

/// A v1 freezer holds even SIGKILL. Every group from where one of the processes is up to `around_`:
/// the others of the container stay as it has put them.
bool Killing::look_around(TurnClock::time_point until) {
    while (!left_.empty()) {
        const auto pid = left_.back();
        left_.pop_back();
        if (!thaw_way_of(pid)) {
            left_.clear();
            return true;
        }
        if (TurnClock::now() >= until) return false;
    }
    ++round_;
    step_ = found_.size() == known_ ? Step::end : Step::begin;
    return true;
}

/// False: it is deeper than the kernel tells, so all that is there is thawed.
bool Killing::thaw_way_of(pid_t pid) {
    const auto& mount = host_.v1.at("freezer");
    const auto root = host_.v1_roots.find(mount);
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto text = sys::read_file_at(proc, fmt::format("{}/cgroup", pid), 1U << 16U);
    const auto own = text ? cgroup_of(text.value(), "freezer") : std::nullopt;
    const bool is_cut = text.error() == ENAMETOOLONG || (own && own->size() >= kLongestTold);
    if (is_cut && is_coveys(around_->path)) {
        const auto all = foreign_freezer(host_, *around_);
        if (all) thaw_all(all, Step::look_around);
        return !all;
    }
    if (!own) return true;
    const auto path = below_root(*own, root == host_.v1_roots.end() ? "" : root->second);
    const auto& top = around_->in(mount);
    for (std::string_view at = path; is_in_group(at, top); at = parent_path(at)) {
        if (at == top && !is_coveys(top)) break;  // what holds others too is its maker's
        if (const auto group = open_group(mount, at)) thaw_v1(group.value());
    }
    return true;
}

void Killing::give_up() noexcept {
    if (std::exchange(is_frozen_, false))
        (void)sys::write_existing_at(identity_, "freezer.state", "THAWED");
    step_ = Step::open;
    identity_.reset();
    round_ = 0;
    known_ = 0;
    found_.clear();
    freezers_.reset();
    signalling_.reset();
    mounts_.clear();
    left_.clear();
}

void Group::kill() const {
    kill_within(nullptr);
}

void Group::kill_within(const Group* container) const {
    if (!identity_) return;
    if (host_->unified.empty()) return kill_v1(identity_, placement_.path);
    const auto until = TurnClock::now() + kWholeKill;
    if (container != nullptr) {
        Killing killing{*host_, placement_, container->placement_};
        (void)killing.turn(until);
    } else {
        Killing killing{*host_, placement_};
        (void)killing.turn(until);
    }
}

void Group::end(milliseconds limit) const {
    const auto deadline = TurnClock::now() + limit;
    const auto kill_some = [&] {
        try {
            kill();
        } catch (const Error& error) {
            if (error.code() != Code::timeout) throw;  // v1: here it is told with who is left
        }
    };
    for (kill_some(); !wait_empty(kAgain); kill_some())
        if (TurnClock::now() >= deadline) throw not_empty(*this, limit);
}

}  // namespace covey::cgroup
