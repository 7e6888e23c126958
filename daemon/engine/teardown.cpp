#include "engine/teardown.hpp"

#include "base/log.hpp"
#include "engine/shim_events.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kIdleLimit{5'000};   // for container operations that are under way
constexpr milliseconds kClearLimit{4'000};  // from SIGKILL to no group: then a delete says why
constexpr milliseconds kEndLimit{5'000};    // for a shim to end after Shutdown or SIGKILL
constexpr int kKilled = 128 + 9;

asio::awaitable<bool> wait_idle(SandboxPtr sandbox, milliseconds limit) {
    const auto deadline = Clock::now() + limit;
    while (sandbox->busy != 0 && Clock::now() < deadline)
        co_await sandbox->changed.wait_until(deadline);
    co_return sandbox->busy == 0;
}

void disconnect(SandboxEntry& sandbox) {
    if (sandbox.link) sandbox.link->close();
    sandbox.link = nullptr;
    for (const auto& [key, exec] : std::exchange(sandbox.execs, {})) {
        if (!exec->exit)
            exec->exit = core::ExitRecord{kKilled, 9, false, unix_microseconds(), "shim died"};
        exec->changed.notify();
    }
}

asio::awaitable<void> kill_shim(SandboxPtr sandbox) {
    disconnect(*sandbox);
    const auto process = sandbox->process;
    if (!process) co_return;
    process->kill();
    const bool ended = co_await process->wait_ended(Clock::now() + kEndLimit);
    if (!ended) log::error("a shim does not die", {{"sandbox", sandbox->request.id}});
}

/// The end that the shim wrote down before it died, if it came so far.
core::ExitRecord last_exit(const SandboxEntry& sandbox, const std::string& id) {
    if (const auto folder = sys::open_dir_at(sandbox.folder, container_folder(id)))
        if (const auto facts = read_container_facts(folder.value()); facts && facts->exit)
            return *facts->exit;
    return core::ExitRecord{kKilled, 9, false, unix_microseconds(), "shim died"};
}

/// In memory first, then on record, so that the next daemon finds the same end and tells it once;
/// a disk that is full keeps neither from being told.
void end_container(EngineState& state, SandboxEntry& sandbox, ContainerEntry& container) {
    const auto exit = last_exit(sandbox, container.request.id);
    auto facts = container.facts;
    facts.state = core::ContainerState::stopped;
    facts.pid = facts.pod_pid = 0;
    facts.exit = exit;
    if (container.problem.empty())
        keep_record(state, sandbox, container,
                    {Phase::created, container.request, std::move(facts)});
    container_exited(state, container, exit);
}

void mark_dead(EngineState& state, SandboxEntry& sandbox) {
    end_containers(state, sandbox);
    if (sandbox.facts.state == core::SandboxState::stopped) return;
    auto stopped = sandbox.facts;
    stopped.state = core::SandboxState::stopped;
    stopped.pause_pid = 0;
    if (stopped.stopped_at == 0) stopped.stopped_at = unix_microseconds();
    sandbox.facts.stopped_at = stopped.stopped_at;
    if (stopped.exit) sandbox.facts.exit = stopped.exit;
    if (sandbox.problem.empty())
        keep_record(state, sandbox,
                    record_of(sandbox, sandbox.deleting ? Phase::deleting : Phase::created,
                              std::move(stopped)));
    sandbox_stopped(state, sandbox);
}

/// A sandbox whose making was cut short: only its shim knows whether there is a pod.
asio::awaitable<void> stop_unfinished(std::shared_ptr<ShimLink> link) {
    core::RequestBody stop = core::StopSandbox{};
    try {
        (void)co_await link->ask<core::SandboxFacts>(std::move(stop));
    } catch (const Error& error) {
        if (error.code() != Code::failed_precondition) throw;  // there is none
    }
}

/// Asks the shim to end; false when it is not to be had.
asio::awaitable<bool> end_by_request(SandboxPtr sandbox) {
    if (!sandbox->has_shim()) co_return false;
    const auto link = sandbox->link;
    core::RequestBody shutdown = core::Shutdown{};
    try {
        if (!sandbox->complete) co_await stop_unfinished(link);
        (void)co_await link->ask<core::Done>(std::move(shutdown));
    } catch (const Error& error) {
        log::debug("shim refused to end",
                   {{"sandbox", sandbox->request.id}, {"problem", error.detail()}});
        co_return false;
    }
    disconnect(*sandbox);
    const auto process = sandbox->process;
    if (!process) co_return true;
    co_return co_await process->wait_ended(Clock::now() + kEndLimit);
}

Error still_there(const EngineState& state, const std::string& cgroup, bool has_groups) {
    if (has_groups)
        return Error(Code::timeout,
                     fmt::format("cgroup {}: the groups that were made below it are many, and not "
                                 "all are removed yet",
                                 cgroup))
            .with_fix("try again: each time there are fewer");
    return Error(Code::timeout, fmt::format("processes are left in cgroup {} after SIGKILL: {}",
                                            cgroup, state.surroundings->survivors(cgroup)))
        .with_fix(
            "they wait in the kernel (state D), often for a mount; try again when it answers");
}

}  // namespace

void end_containers(EngineState& state, SandboxEntry& sandbox) {
    for (const auto& id : sandbox.containers) {
        const auto container = state.registry.find_container(id);
        if (!container || !container->complete ||
            container->facts.state == core::ContainerState::stopped)
            continue;
        end_container(state, sandbox, *container);
    }
}

asio::awaitable<void> clear_group(StatePtr state, std::string cgroup, milliseconds limit) {
    using cgroup::Removal;
    if (cgroup.empty()) co_return;  // of a sandbox of which nothing is known
    const auto deadline = Clock::now() + limit;
    milliseconds pause{1};
    Signal timer(state->executor);
    while (true) {
        state->surroundings->kill_group(cgroup);
        const auto left = state->surroundings->remove_group(cgroup);
        if (left == Removal::Left::nothing) co_return;
        const bool goes_on = left == Removal::Left::groups;
        if (Clock::now() >= deadline) throw still_there(*state, cgroup, goes_on);
        // Others come in between.
        co_await timer.wait_until(Clock::now() + (goes_on ? milliseconds{0} : pause));
        if (!goes_on) pause = std::min(pause * 2, milliseconds{50});
    }
}

asio::awaitable<void> bury(StatePtr state, SandboxPtr sandbox) {
    co_await kill_shim(sandbox);
    std::exception_ptr problem;
    try {
        co_await clear_group(state, sandbox->cgroup(), kClearLimit);
    } catch (const Error&) {
        problem = std::current_exception();
    }
    mark_dead(*state, *sandbox);
    co_await wait_idle(sandbox, kIdleLimit);  // a start that was under way fails now
    mark_dead(*state, *sandbox);
    if (problem) std::rethrow_exception(problem);
}

asio::awaitable<void> stop_pod(StatePtr state, SandboxPtr sandbox) {
    if (sandbox->complete && sandbox->facts.state == core::SandboxState::stopped) co_return;
    // What is under way in it is not waited for: the shim cuts creations short and refuses new
    // ones.
    bool stopped = false;
    if (sandbox->has_shim()) {
        const auto link = sandbox->link;
        core::RequestBody wish = core::StopSandbox{};
        try {
            const auto facts = co_await link->ask<core::SandboxFacts>(std::move(wish));
            sandbox->facts.stopped_at = facts.stopped_at;
            sandbox->facts.exit = facts.exit;
            stopped = true;
        } catch (const Error& error) {
            log::warning("shim did not stop its sandbox",
                         {{"sandbox", sandbox->request.id}, {"problem", error.detail()}});
        }
    }
    if (stopped)
        mark_dead(*state, *sandbox);  // what the shim has not reported by itself
    else
        co_await bury(state, sandbox);
}

asio::awaitable<void> remove_pod(StatePtr state, SandboxPtr sandbox) {
    const bool ended = co_await end_by_request(sandbox);
    if (!ended) co_await kill_shim(sandbox);
    // The shim of a pod that has stopped has removed its group: what is at that path now is
    // somebody else's, as another coveyd's with the same cgroup parent.
    const bool is_gone = ended && sandbox->complete && sandbox->problem.empty() &&
                         sandbox->facts.state == core::SandboxState::stopped;
    if (!is_gone && !sandbox->group_is_foreign)
        co_await clear_group(state, sandbox->cgroup(), kClearLimit);
    co_await wait_idle(sandbox, kIdleLimit);
    state->surroundings->unpin(sandbox->folder);
    sys::remove_tree_at(state->sandboxes_folder, sandbox->request.id)
        .or_throw("remove", sandbox->path);
    sandbox->folder.reset();
}

asio::awaitable<void> delete_pod(StatePtr state, SandboxPtr sandbox) {
    co_await stop_pod(state, sandbox);
    co_await remove_pod(state, sandbox);
    const auto containers = sandbox->containers;
    for (const auto& id : containers)
        forget_container(*state, *sandbox, id);
    sandbox->complete = false;
    state->registry.sandboxes.erase(sandbox->request.id);
    state->publish(*sandbox, "sandbox.deleted");
}

void forget_container(EngineState& state, SandboxEntry& sandbox, const std::string& id) {
    if (sandbox.folder.valid())
        sys::remove_tree_at(sandbox.folder, container_folder(id)).or_throw("remove container", id);
    sandbox.containers.erase(id);
    const auto container = state.registry.find_container(id);
    if (!container) return;
    const bool was_complete = std::exchange(container->complete, false);
    container->deleted = true;
    state.registry.containers.erase(id);
    if (was_complete) state.publish(*container, "container.deleted");
    container->changed.notify();
}

}  // namespace covey::daemon
