// Who may do what to whom in a sandbox: the facts of each main process, judged pair by pair.
#include "core/lifecycle.hpp"
#include "engine/operations.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::daemon {
namespace {

constexpr const char* kPause = "(pause)";  // no id: parentheses are not allowed in one

core::AccessFacts facts_of(const ContainerEntry& container, FdRef proc) {
    auto facts = core::read_access_facts(proc, container.request.id, container.facts.pid);
    const auto& access = container.facts.config.access;
    facts.restricted = {access.see == spec::Reach::own, access.signal == spec::Reach::own,
                        access.inspect == spec::Reach::own};
    return facts;
}

/// One that was named must be there and run; of the others those that do.
std::vector<core::AccessFacts> facts_in(const EngineState& state, const SandboxEntry& sandbox,
                                        const std::optional<std::string>& only, FdRef proc) {
    std::vector<core::AccessFacts> found;
    for (const auto& id : sandbox.containers) {
        if (only && *only != id) continue;
        const auto container = state.registry.find_container(id);
        if (!container || !container->complete) continue;
        const bool runs = core::has_started(container->facts.state);
        if (only && !runs)
            throw Error(Code::failed_precondition,
                        fmt::format("container '{}' is {}: only a running one may or may not do a "
                                    "thing",
                                    id, core::state_name(container->facts.state)))
                .with_fix("start it first");
        try {
            if (runs) found.push_back(facts_of(*container, proc));
        } catch (const Error& error) {
            // Its end has not been reported yet.
            if (only || error.code() != Code::not_found) throw;
        }
    }
    if (only && found.empty())
        throw Error(Code::not_found,
                    fmt::format("no container '{}' in sandbox '{}'", *only, sandbox.request.id))
            .with_fix("covey ps -s " + sandbox.request.id);
    return found;
}

}  // namespace

std::vector<AccessView> access_in(const EngineState& state, const std::string& id,
                                  const std::optional<std::string>& from,
                                  const std::optional<std::string>& to) {
    const auto sandbox = state.registry.sandbox(id);
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto callers = facts_in(state, *sandbox, from, proc);
    std::vector<core::AccessFacts> targets;
    if (!to || *to != kPause) targets = facts_in(state, *sandbox, to, proc);
    if ((!to || *to == kPause) && sandbox->facts.pause_pid != 0)
        targets.push_back(core::read_access_facts(proc, kPause, sandbox->facts.pause_pid));
    std::vector<AccessView> views;
    for (const auto& caller : callers)
        for (const auto& target : targets) {
            if (caller.pid == target.pid) continue;
            AccessView view{caller.name, target.name, {}};
            for (std::size_t i = 0; i < core::kActions.size(); ++i)
                view.verdicts.at(i) = core::judge_access(caller, target, core::kActions.at(i));
            views.push_back(std::move(view));
        }
    return views;
}

}  // namespace covey::daemon
