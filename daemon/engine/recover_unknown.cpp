// Sandboxes whose record nobody can read. Nothing of it is made up: who is there is shown, with
// what its shim and the kernel say, and can be ended.
#include "base/log.hpp"
#include "engine/operations.hpp"
#include "engine/recovery.hpp"
#include "engine/teardown.hpp"

#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

/// What can be known without a shim that answers.
void take_facts_of_kernel(const Recovery& recovery, SandboxEntry& sandbox) {
    auto& facts = sandbox.facts;
    // The shim's own file knows the group of a shim that is dead by now.
    if (const auto told = read_sandbox_facts(sandbox.folder); told && told->id == facts.id)
        facts.cgroup = told->cgroup;
    const auto found = recovery.shims.find(facts.id);
    if (found == recovery.shims.end()) return;
    const auto& shim = found->second;
    facts.shim_pid = shim.pid;
    facts.shim_start_time = shim.start_time;
    facts.pause_pid = shim.pause_pid;
    if (!shim.cgroup.empty()) facts.cgroup = shim.cgroup;
}

void take_facts_of_shim(SandboxEntry& sandbox, const core::SandboxFacts& told) {
    auto& facts = sandbox.facts;
    const auto pid = facts.shim_pid;
    const auto start_time = facts.shim_start_time;
    facts = told;
    facts.id = sandbox.request.id;
    if (pid != 0) {  // the kernel's word goes before
        facts.shim_pid = pid;
        facts.shim_start_time = start_time;
    }
}

}  // namespace

asio::awaitable<void> adopt_unknown(Recovery& recovery, std::string id, UniqueFd folder,
                                    std::string problem) {
    const auto state = recovery.state;
    const auto sandbox = std::make_shared<SandboxEntry>(state->executor);
    sandbox->request.id = id;
    sandbox->facts.id = id;
    sandbox->path = state->sandbox_path(id);
    sandbox->folder = std::move(folder);
    sandbox->problem = std::move(problem);
    take_facts_of_kernel(recovery, *sandbox);
    state->registry.sandboxes.insert_or_assign(id, sandbox);
    const auto status = co_await reach_shim(state, sandbox);
    if (status.sandbox) take_facts_of_shim(*sandbox, *status.sandbox);
    auto& facts = sandbox->facts;
    if (auto pidfd = state->surroundings->find_process(facts.shim_pid, facts.shim_start_time))
        adopt_process(*state, *sandbox, std::move(*pidfd), ShimProcess::Whose::foreign);
    facts.state = core::SandboxState::unknown;
    sandbox->complete = true;
    log::error("the state of a sandbox is unknown: it is shown, and can be deleted with force",
               {{"sandbox", id},
                {"problem", sandbox->problem},
                {"shim", std::to_string(facts.shim_pid)},
                {"cgroup", sandbox->cgroup()}});
    co_await recover_containers(recovery, sandbox, status);
    if (status.shim == ShimStatus::Shim::dead && !recovery.shims.contains(id))
        end_containers(*state, *sandbox);
    co_await end_execs(recovery, sandbox, status);
}

}  // namespace covey::daemon
