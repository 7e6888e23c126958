#include "core/access.hpp"

#include "base/text.hpp"
#include "spec/id_mappings.hpp"
#include "spec/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <linux/capability.h>

namespace covey::core {
namespace {

using Obstacles = std::vector<Obstacle>;

constexpr std::uint64_t bit(int capability) {
    return std::uint64_t{1} << static_cast<unsigned>(capability);
}

/// The kernel's ns_capable(): held in the namespace itself or one around it; and whoever made a
/// namespace, from the one around it, has all of them in it (user_namespaces(7)).
bool is_capable(const AccessFacts& from, const std::vector<UserNamespace>& where, int capability) {
    const auto own = from.user_namespaces.front().inode;
    for (std::size_t i = 0; i < where.size(); ++i) {
        if (where[i].inode == own) return (from.effective & bit(capability)) != 0;
        if (i + 1 < where.size() && where[i + 1].inode == own && where[i].owner == from.uids[1])
            return true;
    }
    return false;
}

bool is_around(const AccessFacts& from, const std::vector<UserNamespace>& where) {
    const auto own = from.user_namespaces.front().inode;
    return std::any_of(where.begin(), where.end(),
                       [own](const auto& one) { return one.inode == own; });
}

/// A capability would do, but where the caller is it cannot be had.
void need(Obstacles& found, const AccessFacts& from, const AccessFacts& to, Obstacle capability) {
    found.push_back(is_around(from, to.user_namespaces) ? capability : Obstacle::user_namespace);
}

bool has_number(const AccessFacts& from, const AccessFacts& to) {
    const auto own = from.pid_namespaces.front();
    return std::find(to.pid_namespaces.begin(), to.pid_namespaces.end(), own) !=
           to.pid_namespaces.end();
}

enum class Mode { read, attach };

/// The kernel's ptrace_may_access(): read goes by the ids of the filesystem and the effective
/// capabilities, attach by the real ids and the permitted ones.
Obstacles ptrace_obstacles(const AccessFacts& from, const AccessFacts& to, Mode mode) {
    Obstacles found;
    const auto uid = mode == Mode::read ? from.uids[3] : from.uids[0];
    const auto gid = mode == Mode::read ? from.gids[3] : from.gids[0];
    const auto held = mode == Mode::read ? from.effective : from.permitted;
    if (is_capable(from, to.user_namespaces, CAP_SYS_PTRACE)) return found;
    const auto is_same = [](const auto& ids, auto id) {
        return std::all_of(ids.begin(), ids.begin() + 3, [id](auto one) { return one == id; });
    };
    const bool other_user = !is_same(to.uids, uid) || !is_same(to.gids, gid);
    const bool same_namespace =
        from.user_namespaces.front().inode == to.user_namespaces.front().inode;
    const bool stronger = !same_namespace || (to.permitted & ~held) != 0;
    const bool unreadable = to.dumpable == AccessFacts::Dumpable::no;
    if (other_user) found.push_back(Obstacle::uid);
    if (stronger) found.push_back(Obstacle::capabilities);
    if (unreadable) found.push_back(Obstacle::dumpable);
    if (!found.empty()) need(found, from, to, Obstacle::sys_ptrace);
    return found;
}

Obstacles see_obstacles(const AccessFacts& from, const AccessFacts& to) {
    if (!has_number(from, to)) return {Obstacle::pid_namespace};
    // hidepid=ptraceable shows what may be read, and the domain lets nothing of others be read.
    if (from.restricted.see) return {Obstacle::landlock};
    return {};
}

Obstacles signal_obstacles(const AccessFacts& from, const AccessFacts& to) {
    if (!has_number(from, to)) return {Obstacle::pid_namespace};
    Obstacles found;
    if (from.restricted.signal) found.push_back(Obstacle::landlock);
    // Real or effective of the sender, real or saved of the target (kill(2)).
    const auto matches = [&](uid_t id) { return id == to.uids[0] || id == to.uids[2]; };
    if (matches(from.uids[0]) || matches(from.uids[1]) ||
        is_capable(from, to.user_namespaces, CAP_KILL))
        return found;
    found.push_back(Obstacle::uid);
    need(found, from, to, Obstacle::cap_kill);
    return found;
}

Obstacles inspect_obstacles(const AccessFacts& from, const AccessFacts& to, Mode mode) {
    if (!has_number(from, to)) return {Obstacle::pid_namespace};
    Obstacles found;
    if (from.restricted.inspect) found.push_back(Obstacle::landlock);
    for (const auto obstacle : ptrace_obstacles(from, to, mode))
        found.push_back(obstacle);
    if (mode == Mode::read) return found;
    if (from.yama >= 3 || (from.yama > 0 && !is_capable(from, to.user_namespaces, CAP_SYS_PTRACE)))
        found.push_back(Obstacle::yama);
    if (to.tracer != 0) found.push_back(Obstacle::traced);
    return found;
}

Obstacles obstacles_of(const AccessFacts& from, const AccessFacts& to, Action action) {
    switch (action) {
        case Action::see:
            return see_obstacles(from, to);
        case Action::signal:
            return signal_obstacles(from, to);
        case Action::read_root:
            return inspect_obstacles(from, to, Mode::read);
        case Action::ptrace:
            return inspect_obstacles(from, to, Mode::attach);
    }
    return {};
}

struct Change {
    std::string text;
    AccessFacts from;
};

/// What no other change makes up for comes first, alone: the namespace, then the domain.
std::string make_reachable(AccessFacts& from, const AccessFacts& to, Action action) {
    std::vector<std::string> texts;
    if (!has_number(from, to)) {
        from.pid_namespaces = to.pid_namespaces;
        texts.push_back(fmt::format("run {} and {} with pid mode pod", from.name, to.name));
    }
    auto& blocked = action == Action::signal ? from.restricted.signal
                    : action == Action::see  ? from.restricted.see
                                             : from.restricted.inspect;
    if (std::exchange(blocked, false))
        texts.push_back(fmt::format("give {} the access {}: pod", from.name,
                                    action == Action::signal ? "signal"
                                    : action == Action::see  ? "see"
                                                             : "inspect"));
    return join(texts, " and ");
}

/// Single changes, the least power first: ids and capabilities that the target has itself, then the
/// capability that opens all others too.
std::vector<Change> single_changes(const AccessFacts& from, const AccessFacts& to, Action action) {
    std::vector<Change> changes;
    const auto add = [&](int capability) {
        Change change{fmt::format("add {} to {}", spec::capability_name(capability), from.name),
                      from};
        change.from.effective |= bit(capability);
        change.from.permitted |= bit(capability);
        changes.push_back(std::move(change));
    };
    if (action == Action::signal) add(CAP_KILL);
    if (const auto missing = to.permitted & ~from.effective; missing != 0) {
        Change change{
            fmt::format("add {} to {}", join(spec::capability_names_of(missing), ", "), from.name),
            from};
        change.from.effective |= missing;
        change.from.permitted |= missing;
        changes.push_back(std::move(change));
    }
    // In the numbers that a request for it has; a target of another user namespace may have none.
    const auto uid = spec::inner_id(from.uid_map, to.uids[1]);
    const auto gid = spec::inner_id(from.gid_map, to.gids[1]);
    Change same_user{fmt::format("run {} as {}:{}", from.name, uid.value_or(to.uids[1]),
                                 gid.value_or(to.gids[1])),
                     from};
    same_user.from.uids.fill(to.uids[1]);
    same_user.from.gids.fill(to.gids[1]);
    changes.push_back(std::move(same_user));
    if (action != Action::signal) add(CAP_SYS_PTRACE);
    return changes;
}

std::vector<std::string> changes_for(AccessFacts from, const AccessFacts& to, Action action) {
    AccessFacts target = to;
    target.tracer = 0;
    const auto first = make_reachable(from, target, action);
    if (obstacles_of(from, target, action).empty()) {
        if (to.tracer != 0) return {fmt::format("let process {} end its tracing", to.tracer)};
        return {first};
    }
    std::vector<std::string> found;
    for (auto& change : single_changes(from, target, action))
        if (obstacles_of(change.from, target, action).empty())
            found.push_back(first.empty() ? change.text : first + " and " + change.text);
    return found;
}

std::string note_of(const AccessFacts& from, const AccessFacts& to, Action action, bool allowed) {
    std::vector<std::string> notes;
    if (action == Action::signal && to.is_first && has_number(from, to))
        notes.push_back(
            from.pid_namespaces.front() == to.pid_namespaces.front()
                ? "PID 1 of their namespace: the kernel drops what it has no handler for, SIGKILL "
                  "too"
                : "PID 1 of its own namespace: of what it has no handler for only SIGKILL and "
                  "SIGSTOP arrive");
    const bool inspects = action == Action::read_root || action == Action::ptrace;
    if (inspects && allowed && to.dumpable == AccessFacts::Dumpable::unknown &&
        (from.effective & bit(CAP_SYS_PTRACE)) == 0)
        notes.push_back("unless it made itself non-dumpable, which this kernel does not tell");
    if (action == Action::ptrace && allowed && from.has_seccomp)
        notes.push_back("unless the caller's seccomp filter refuses ptrace");
    return join(notes, "; ");
}

}  // namespace

AccessFacts at_most(AccessFacts from, const AccessFacts& to) {
    if (!from.no_new_privs) from.permitted |= from.bounding;
    from.effective = from.permitted;
    const auto both = bit(CAP_SETUID) | bit(CAP_SETGID);
    if (!from.no_new_privs || (from.permitted & both) == both) {
        from.uids.fill(to.uids[1]);
        from.gids.fill(to.gids[1]);
    }
    return from;
}

AccessFacts at_least(AccessFacts to) {
    to.effective = to.permitted = 0;
    to.dumpable = AccessFacts::Dumpable::yes;
    to.tracer = 0;
    return to;
}

std::string_view obstacle_name(Obstacle obstacle) noexcept {
    constexpr std::array<std::string_view, 10> kNames{
        "pidNamespace", "landlock",  "userNamespace", "uid",    "capKill",
        "capabilities", "sysPtrace", "dumpable",      "traced", "yama"};
    return kNames.at(static_cast<std::size_t>(obstacle));
}

Verdict judge_access(const AccessFacts& from, const AccessFacts& to, Action action) {
    Verdict verdict;
    verdict.obstacles = obstacles_of(from, to, action);
    verdict.allowed = verdict.obstacles.empty();
    if (!verdict.allowed) verdict.changes = changes_for(from, to, action);
    verdict.note = note_of(from, to, action, verdict.allowed);
    return verdict;
}

}  // namespace covey::core
