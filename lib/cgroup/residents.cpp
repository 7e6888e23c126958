#include "cgroup/residents.hpp"

#include "cgroup/members.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>

#include <unistd.h>

namespace covey::cgroup {
namespace {

using std::chrono::milliseconds;
constexpr std::size_t kCgroupsLimit = 1U << 17U;
constexpr milliseconds kNextRound{20};

/// Mount point → what its lines in /proc/PID/cgroup are called, and which part the mount shows.
struct Hierarchy {
    std::string controller, root;
};
std::map<std::string, Hierarchy> hierarchies(const Host& host) {
    std::map<std::string, Hierarchy> all;
    for (const auto& [controller, mount] : host.v1) {
        const auto root = host.v1_roots.find(mount);
        all[mount] = {controller, root == host.v1_roots.end() ? std::string{} : root->second};
    }
    if (!host.unified.empty()) all[host.unified] = {"", host.identity_root};
    return all;
}

/// The texts of all its threads: on v1 each is in groups of its own. More than are looked at: none,
/// which is no answer.
std::vector<std::string> groups_of(FdRef proc, pid_t pid) {
    constexpr std::size_t kMostThreads = 128;
    std::vector<std::string> texts;
    const auto threads = sys::open_dir_at(proc, fmt::format("{}/task", pid));
    const auto numbers = threads ? sys::list_processes(threads.value())
                                 : Result<std::vector<pid_t>>{Errno{threads.error()}};
    if (!numbers || numbers.value().size() > kMostThreads) return texts;
    for (const auto thread : numbers.value())
        if (auto text =
                sys::read_file_at(threads.value(), fmt::format("{}/cgroup", thread), kCgroupsLimit))
            texts.push_back(std::move(text).value());
    return texts;
}

/// Mount points of the hierarchies in which it is not at home, or might not be.
std::vector<std::string> where_away(const Host& host, FdRef proc, const Resident& resident) {
    std::vector<std::string> away;
    const auto texts = groups_of(proc, resident.pid);
    for (const auto& [mount, hierarchy] : hierarchies(host)) {
        const auto& controller = hierarchy.controller;
        const auto& root = hierarchy.root;
        const auto& home = resident.home.in(mount);
        const bool is_home = std::all_of(texts.begin(), texts.end(), [&](const auto& text) {
            const auto told = cgroup_of(text, controller);
            return !told || is_in_group(below_root(*told, root), home);
        });
        if (!is_home || texts.empty()) away.push_back(mount);
    }
    // The number was its own all the while if it is so now.
    if (sys::wait_ended(resident.process, 0)) away.clear();
    return away;
}

UniqueFd open_place(const std::string& mount, const Resident& resident) {
    const auto& home = resident.home.in(mount);
    auto place = resident.room.empty() ? open_seat(mount, home)
                                       : open_group(mount, home + "/" + resident.room);
    if (!place && place.error() == ENOENT && !resident.room.empty()) place = open_seat(mount, home);
    if (!place && is_gone(place.error())) return {};
    return std::move(place).or_throw("open cgroup", mount + home);
}

/// The end of a group, by rounds, until its time is over.
class SparingEnd {
  public:
    SparingEnd(const Host& host, Group& group, const std::function<Others()>& others,
               milliseconds limit)
        : host_(host),
          group_(group),
          limit_(limit),
          others_(others()),
          proc_(sys::open_proc().or_throw("open", "/proc")),
          killing_(host, group.placement(), [this](pid_t pid) { return spares(pid); }) {}
    SparingEnd(const SparingEnd&) = delete;
    SparingEnd& operator=(const SparingEnd&) = delete;

    [[nodiscard]] bool is_late() const { return TurnClock::now() >= deadline_; }
    void end() {
        for (round(); !group_.wait_empty(kNextRound); round())
            if (is_late()) throw not_empty(group_, limit_);
    }
    void look_everywhere() {
        killing_.look_everywhere();
        round();
    }

  private:
    bool spares(pid_t pid) {
        for (const auto& one : others_.residents)
            if (one.pid == pid) {
                met_[pid] = &one;
                return true;
            }
        return pid == ::getpid();
    }
    void round() {
        (void)killing_.turn(deadline_);
        for (const auto& [pid, one] : met_)
            bring_home(host_, proc_, *one);
    }

    const Host& host_;
    Group& group_;
    milliseconds limit_;
    TurnClock::time_point deadline_ = TurnClock::now() + limit_;
    Others others_;
    UniqueFd proc_;
    std::map<pid_t, const Resident*> met_;
    Killing killing_;
};

}  // namespace

bool is_away(const Host& host, FdRef proc, const Resident& resident) {
    return !where_away(host, proc, resident).empty();
}

void bring_home(const Host& host, FdRef proc, const Resident& resident) {
    for (const auto& mount : where_away(host, proc, resident)) {
        const auto place = open_place(mount, resident);
        if (!place) continue;
        // By its number, for there is no other way. The kernel gives one out again after all others
        // have been: not between this look and the write.
        if (sys::wait_ended(resident.process, 0)) return;
        const auto moved =
            sys::write_existing_at(place, "cgroup.procs", std::to_string(resident.pid));
        if (!moved && moved.error() != ESRCH && !is_gone(moved.error()))
            moved.or_throw("move a process back to cgroup", mount + resident.home.in(mount));
    }
}

void end_sparing(const Host& host, Group& group, const std::function<Others()>& others,
                 milliseconds limit) {
    if (!group.is_empty()) SparingEnd{host, group, others, limit}.end();
}

void signal_sparing(const Host& host, const Group& group, int signal, const Others& others) {
    auto opened = open_group(host.identity_mount(), group.path());
    if (!opened && is_gone(opened.error())) return;
    const auto top = std::move(opened).or_throw("open cgroup", group.path());
    const auto is_other = [&](pid_t pid) {
        const auto& all = others.residents;
        return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.pid == pid; });
    };
    (void)Signalling{top, signal, Signalling::Thaw::no, is_other}.turn(
        TurnClock::time_point::max());
}

void remove_sparing(const Host& host, Group& group, const std::function<Others()>& others,
                    milliseconds limit) {
    std::optional<SparingEnd> ending;
    const auto need = [&]() -> SparingEnd& {
        if (!ending) ending.emplace(host, group, others, limit);
        return *ending;
    };
    if (!group.is_empty()) need().end();
    while (true) {
        try {
            return group.remove();
        } catch (const Error& error) {
            // Nobody is in it where it is killed, and still somebody is in it: in a v1 hierarchy.
            const bool is_taken = error.code() == Code::failed_precondition;
            if (!is_taken || (ending && ending->is_late())) throw;
            need().look_everywhere();
        }
    }
}

}  // namespace covey::cgroup
