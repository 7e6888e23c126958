#include "engine/lending.hpp"

#include "core/access.hpp"
#include "core/lifecycle.hpp"
#include "covey/error.hpp"
#include "spec/tables.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include <linux/capability.h>

namespace covey::daemon {
namespace {

using core::AccessFacts;
using core::Action;

constexpr std::uint64_t kAnyUser =
    std::uint64_t{1} << unsigned{CAP_SETUID} | std::uint64_t{1} << unsigned{CAP_SETGID};

struct Member {
    const ContainerEntry* entry = nullptr;
    AccessFacts facts;
    bool runs = false;  // or is about to: a created one's process is Covey's own yet
};

[[nodiscard]] bool may(const AccessFacts& from, const AccessFacts& to, Action action) {
    auto target = to;
    target.tracer = 0;  // it can be let go
    auto caller = core::at_most(from, target);
    caller.yama = 0;  // /proc/PID/root does not ask it
    return core::judge_access(caller, target, action).allowed;
}

class Pod {
  public:
    Pod(const EngineState& state, const SandboxEntry& sandbox, const ContainerEntry& starting,
        const ExecRights& rights)
        : starting_(starting) {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        for (const auto& id : sandbox.containers) {
            const auto entry = state.registry.find_container(id);
            if (!entry || !entry->complete) continue;
            if (entry->facts.state != core::ContainerState::stopped) add(*entry, rights, proc);
        }
    }

    void check() const {
        for (const auto& debugger : members_)
            for (const auto& neighbour : members_)
                if (concerns(debugger, neighbour)) check_pair(debugger, neighbour);
    }

  private:
    static void add_rights(AccessFacts& facts, const ExecRights& rights) {
        facts.permitted |= rights.capabilities;
        if (rights.other_user) facts.permitted |= kAnyUser;
    }

    void add(const ContainerEntry& entry, const ExecRights& rights, FdRef proc) {
        try {
            auto facts = core::read_access_facts(proc, entry.request.id, entry.facts.pid);
            facts.restricted.inspect = entry.facts.config.access.inspect == spec::Reach::own;
            add_rights(facts, entry.exec_rights);
            if (&entry == &starting_) add_rights(facts, rights);
            const bool runs =
                &entry == &starting_ || entry.starting || core::has_started(entry.facts.state);
            members_.push_back({&entry, std::move(facts), runs});
        } catch (const Error& error) {
            if (error.code() != Code::not_found) throw;  // it has just ended
        }
    }

    /// Both run, one of them from now on: the others were judged before.
    [[nodiscard]] bool concerns(const Member& debugger, const Member& neighbour) const {
        return debugger.entry->request.debug && !neighbour.entry->request.debug && debugger.runs &&
               neighbour.runs && (debugger.entry == &starting_ || neighbour.entry == &starting_);
    }

    /// As if it had a number for the debugger, if a third one has, which is no debugger and may
    /// hand over a procfs or a pidfd. `but`: not by that one.
    [[nodiscard]] AccessFacts with_what_is_handed(const Member& neighbour, const Member& debugger,
                                                  std::string_view but) const {
        const auto& seen_from = debugger.facts.pid_namespaces;
        const auto sees = [&](const Member& one) {
            return !one.entry->request.debug && one.entry->request.id != but &&
                   std::find(seen_from.begin(), seen_from.end(),
                             one.facts.pid_namespaces.front()) != seen_from.end();
        };
        auto facts = neighbour.facts;
        if (std::any_of(members_.begin(), members_.end(), sees)) facts.pid_namespaces = seen_from;
        return facts;
    }

    void check_pair(const Member& debugger, const Member& neighbour) const {
        const auto& target = debugger.entry->request.debug->target;
        const bool shows = !target.empty() && target != neighbour.entry->request.id;
        // The target may show its root to whom it likes.
        if (shows &&
            may(with_what_is_handed(neighbour, debugger, target), core::at_least(debugger.facts),
                Action::read_root) &&
            !reaches(neighbour, target))
            refuse(debugger, neighbour,
                   fmt::format("the root of container '{}', which is its /target and which '{}' "
                               "cannot reach by itself",
                               target, neighbour.entry->request.id));
        // In the host's own namespace the host's processes are in reach, which have as much.
        if (neighbour.facts.pid_namespaces.size() == 1) return;
        if (!may(with_what_is_handed(neighbour, debugger, {}), debugger.facts, Action::ptrace))
            return;
        if (const auto more = debugger.facts.permitted & ~within_reach(neighbour); more != 0) {
            const auto names = spec::capability_names_of(more);
            refuse(debugger, neighbour, fmt::format("{}", fmt::join(names, ", ")));
        }
    }

    [[nodiscard]] bool reaches(const Member& neighbour, const std::string& target) const {
        return std::any_of(members_.begin(), members_.end(), [&](const Member& one) {
            return one.entry->request.id == target &&
                   may(neighbour.facts, one.facts, Action::read_root);
        });
    }

    /// Its own capabilities, and those of whom it may trace besides debuggers.
    [[nodiscard]] std::uint64_t within_reach(const Member& neighbour) const {
        auto mask = core::at_most(neighbour.facts, neighbour.facts).permitted;
        for (const auto& one : members_)
            if (!one.entry->request.debug && may(neighbour.facts, one.facts, Action::ptrace))
                mask |= one.facts.permitted;
        return mask;
    }

    [[noreturn]] void refuse(const Member& debugger, const Member& neighbour,
                             const std::string& what) const {
        const auto& id = neighbour.entry->request.id;
        const auto& debugger_id = debugger.entry->request.id;
        throw Error(Code::failed_precondition,
                    fmt::format("debugger '{}' would lend container '{}' {}: '{}' may inspect it",
                                debugger_id, id, what, id))
            .with_fix(
                debugger.entry == &starting_
                    ? fmt::format("give '{}' the access observer or private, or end it first; or "
                                  "debug with another profile",
                                  id)
                    : fmt::format("end debugger '{}' first (covey rm -f {}), or give '{}' the "
                                  "access observer or private",
                                  debugger_id, debugger_id, id));
    }

    const ContainerEntry& starting_;
    std::vector<Member> members_;
};

[[nodiscard]] bool has_debugger(const EngineState& state, const SandboxEntry& sandbox) {
    return std::any_of(sandbox.containers.begin(), sandbox.containers.end(), [&](const auto& id) {
        const auto entry = state.registry.find_container(id);
        return entry && entry->request.debug.has_value();
    });
}

}  // namespace

void refuse_lending(const EngineState& state, const SandboxEntry& sandbox,
                    const ContainerEntry& starting, const ExecRights& rights) {
    if (has_debugger(state, sandbox)) Pod{state, sandbox, starting, rights}.check();
}

}  // namespace covey::daemon
