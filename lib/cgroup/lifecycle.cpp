// What happens to the processes of a group: signals, freeze, thaw, wait until none is left.
#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/freezer_v1.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/turns.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace covey::cgroup {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFreezeLimit{2000};

/// The text of cgroup.events through a descriptor that is kept for poll.
std::string read_again(FdRef events) {
    std::array<char, 256> text{};
    const auto got = ::pread(events.get(), text.data(), text.size(), 0);
    return got > 0 ? std::string(text.data(), static_cast<std::size_t>(got)) : std::string{};
}

/// Waits until cgroup.events says `key` = `wanted`. A group that is gone counts as empty and
/// frozen. False when the time is over.
bool wait_event(FdRef events, std::string_view key, std::uint64_t wanted,
                std::chrono::milliseconds limit) {
    const auto deadline = Clock::now() + limit;
    while (true) {
        // Read before each poll: kernfs wakes for changes since the last read only.
        const auto text = read_again(events);
        if (text.empty() || keyed_number(text, key) == wanted) return true;
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return false;
        pollfd waiting{events.get(), POLLPRI, 0};
        (void)::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    }
}

bool is_frozen_v1(FdRef group) {
    return read_control(group, "freezer.state").value_or("THAWED") != "THAWED";
}

}  // namespace

bool has_processes(FdRef group) {
    return walk_groups(group, [](const Visit& visit) {
               return listed_processes(visit.group).empty() ? Onward::yes : Onward::stop;
           }) != Walked::all;
}

std::vector<pid_t> processes_of(FdRef group) {
    std::vector<pid_t> pids;
    const auto walked = walk_groups(group, [&](const Visit& visit) {
        for (const pid_t pid : listed_processes(visit.group))
            if (pid != 0) pids.push_back(pid);
        return Onward::yes;
    });
    if (walked == Walked::too_many)
        throw Error(Code::resource_exhausted,
                    fmt::format("list a cgroup's processes: more than {} groups are below it",
                                kMostVisited))
            .with_fix("remove groups that nobody is in");
    return pids;
}

void Group::signal(int signal) const {
    if (identity_) (void)Signalling{identity_, signal}.turn(TurnClock::time_point::max());
}

std::vector<pid_t> Group::processes() const {
    if (!identity_) return {};
    auto pids = processes_of(identity_);
    // v1 may list a process twice while it moves (cgroups.rst, "cgroup.procs").
    std::sort(pids.begin(), pids.end());
    pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
    return pids;
}

void Group::begin_freeze() const {
    if (!identity_) return;
    const auto* const file = host_->unified.empty() ? "freezer.state" : "cgroup.freeze";
    const auto told =
        sys::write_existing_at(identity_, file, host_->unified.empty() ? "FROZEN" : "1");
    if (!told && !is_gone(told.error())) told.or_throw("freeze cgroup", identity_dir());
}

bool Group::stands_still() const {
    if (!identity_) return true;
    if (host_->unified.empty()) {
        begin_freeze();
        return read_control(identity_, "freezer.state").value_or("FROZEN") == "FROZEN";
    }
    const auto events = read_control(identity_, "cgroup.events");
    return !events || keyed_number(*events, "frozen") == 1U;
}

void Group::freeze() const {
    bool stopped = false;
    if (host_->unified.empty()) {
        stopped = freeze_v1(identity_, kFreezeLimit);
    } else {
        const auto events = open_events();
        sys::write_existing_at(identity_, "cgroup.freeze", "1")
            .or_throw("freeze cgroup", identity_dir());
        stopped = wait_event(events, "frozen", 1, kFreezeLimit);
    }
    if (stopped) return;
    thaw();
    throw Error(Code::timeout,
                fmt::format("freeze cgroup {}: not every process stopped within {} ms",
                            identity_dir(), kFreezeLimit.count()))
        .with_fix(
            "a process in uninterruptible sleep (state D) cannot be frozen: try again when "
            "it is done");
}

void Group::thaw() const {
    if (!identity_) return;
    if (host_->unified.empty()) return thaw_v1(identity_);
    const auto thawed = sys::write_existing_at(identity_, "cgroup.freeze", "0");
    if (!thawed && !is_gone(thawed.error())) thawed.or_throw("thaw cgroup", identity_dir());
    thaw_foreign_freezer(*host_, placement_);
}

bool Group::is_frozen() const {
    if (!identity_) return false;
    if (host_->unified.empty()) return is_frozen_v1(identity_);
    if (read_control(identity_, "cgroup.freeze") == "1") return true;
    const auto foreign = foreign_freezer(*host_, placement_);
    return foreign && is_frozen_v1(foreign);
}

bool Group::is_empty() const {
    if (!identity_) return true;
    if (host_->unified.empty()) return !has_processes(identity_);
    const auto events = read_control(identity_, "cgroup.events");
    return !events || keyed_number(*events, "populated") == 0U;
}

UniqueFd Group::open_events() const {
    if (host_->unified.empty() || !identity_) return {};
    auto events = sys::open_at(identity_, "cgroup.events", O_RDONLY);
    if (!events && is_gone(events.error())) return {};
    return std::move(events).or_throw("open", identity_dir() + "/cgroup.events");
}

bool Group::wait_empty(std::chrono::milliseconds limit) const {
    if (!host_->unified.empty()) {
        const auto events = open_events();
        return !events || wait_event(events, "populated", 0, limit);
    }
    // v1 tells nobody when a group becomes empty (notify_on_release needs a helper program).
    const auto deadline = Clock::now() + limit;
    for (long pause_ns = 250'000; !is_empty(); pause_ns = std::min(pause_ns * 2, 8'000'000L)) {
        if (Clock::now() >= deadline) return false;
        const timespec time{0, pause_ns};
        ::nanosleep(&time, nullptr);
    }
    return true;
}

}  // namespace covey::cgroup
