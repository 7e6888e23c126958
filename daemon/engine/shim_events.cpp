#include "engine/shim_events.hpp"

#include "base/log.hpp"
#include "core/lifecycle.hpp"
#include "engine/teardown.hpp"
#include "sys/proc.hpp"

#include <boost/asio/detached.hpp>

#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

void exec_exited(EngineState& state, SandboxEntry& sandbox, const core::ExecExited& event) {
    const auto container = state.registry.find_container(event.container);
    core::ExecFacts facts;
    facts.container = event.container;
    facts.exec = event.exec;
    const auto at = sandbox.execs.find({event.container, event.exec});
    std::shared_ptr<ExecState> exec;
    if (at != sandbox.execs.end()) {
        exec = std::move(at->second);
        sandbox.execs.erase(at);
        facts = exec->facts;
    }
    if (container) {
        state.publish_exec(*container, facts, "exec.exited", event.exit);
        exec_ended(sandbox, *container);
    }
    if (!exec) return;
    exec->exit = event.exit;
    exec->changed.notify();
}

void shim_event(EngineState& state, SandboxEntry& sandbox, core::Event event) {
    if (auto* started = std::get_if<core::ContainerStarted>(&event)) {
        container_started(state, sandbox, std::move(started->facts));
    } else if (const auto* exited = std::get_if<core::ContainerExited>(&event)) {
        const auto container = state.registry.find_container(exited->id);
        if (!sandbox.complete)
            sandbox.early_exits.insert_or_assign(exited->id, exited->exit);
        else if (container && container->request.sandbox == sandbox.request.id)
            container_exited(state, *container, exited->exit);
    } else if (const auto* exec = std::get_if<core::ExecExited>(&event)) {
        exec_exited(state, sandbox, *exec);
    } else {
        auto& stopped = std::get<core::SandboxStopped>(event);
        log::info("sandbox stopped", {{"sandbox", sandbox.request.id}, {"reason", stopped.reason}});
        if (stopped.exit) sandbox.facts.exit = std::move(stopped.exit);
        sandbox.early_stop = !sandbox.complete;
        sandbox_stopped(state, sandbox);
    }
}

/// Behind whatever works on the sandbox now: that sees for itself that the shim is gone.
asio::awaitable<void> bury_later(StatePtr state, SandboxPtr sandbox) {
    const auto guard = co_await state->locks->acquire(sandbox_lock(sandbox->request.id));
    if (state->registry.find_sandbox(sandbox->request.id) != sandbox || !sandbox->complete)
        co_return;
    try {
        co_await bury(state, sandbox);
    } catch (const Error& error) {
        log::error("cannot clean up behind a dead shim",
                   {{"sandbox", sandbox->request.id}, {"problem", error.detail()}});
    }
}

/// Stopped by a signal, or by a debugger.
bool stands_still(const core::SandboxFacts& facts) {
    const auto proc = sys::open_proc();
    if (!proc || facts.shim_pid <= 0) return false;
    const auto stat = sys::read_stat(proc.value(), facts.shim_pid);
    return stat && stat.value().start_time == facts.shim_start_time &&
           (stat.value().state == 'T' || stat.value().state == 't');
}

void shim_gone(const StatePtr& state, const SandboxPtr& sandbox) {
    if (state->closed) return;
    if (sandbox->complete && !sandbox->closing)
        log::error("the shim of a sandbox died", {{"sandbox", sandbox->request.id}});
    asio::co_spawn(state->executor, bury_later(state, sandbox), asio::detached);
}

}  // namespace

void exec_ended(const SandboxEntry& sandbox, ContainerEntry& container) {
    const auto& id = container.request.id;
    const auto next = sandbox.execs.lower_bound({id, ""});
    if (next != sandbox.execs.end() && next->first.first == id) return;
    container.last_exec_ended = true;
    container.changed.notify();
}

void attach_link(const StatePtr& state, const SandboxPtr& sandbox, UniqueFd connection) {
    // Weak: the link belongs to the sandbox, and the sandbox to the state.
    ShimLink::Handlers handlers;
    handlers.event = [weak = std::weak_ptr(state),
                      entry = std::weak_ptr(sandbox)](core::Event event) {
        const auto owner = weak.lock();
        const auto found = entry.lock();
        if (owner && found) shim_event(*owner, *found, std::move(event));
    };
    handlers.gone = [weak = std::weak_ptr(state), entry = std::weak_ptr(sandbox)] {
        const auto owner = weak.lock();
        const auto found = entry.lock();
        if (owner && found) shim_gone(owner, found);
    };
    handlers.stopped = [entry = std::weak_ptr(sandbox)]() -> std::optional<pid_t> {
        const auto found = entry.lock();
        return found && stands_still(found->facts) ? std::optional{found->facts.shim_pid}
                                                   : std::nullopt;
    };
    sandbox->link = ShimLink::open(state->executor, sandbox->request.id, std::move(connection),
                                   state->config.shim_deadline, std::move(handlers));
}

void container_started(EngineState& state, SandboxEntry& sandbox, core::ContainerFacts facts) {
    const auto container = state.registry.find_container(facts.config.id);
    if (!sandbox.complete) {
        sandbox.early_starts.insert_or_assign(facts.config.id, std::move(facts));
        return;
    }
    if (!container || !container->complete || container->starting) return;
    container->facts.record_stale = facts.record_stale;
    if (container->facts.state == core::ContainerState::created)
        take_facts(state, *container, facts, core::ContainerState::running, "container.started");
    container_paused_or_resumed(state, *container, std::move(facts));
}

void container_paused_or_resumed(EngineState& state, ContainerEntry& container,
                                 core::ContainerFacts facts) {
    const auto before = container.facts.state;
    if (!core::has_started(before) || !core::has_started(facts.state) || before == facts.state)
        return;
    container.facts = std::move(facts);
    const bool is_paused = container.facts.state == core::ContainerState::paused;
    state.publish(container, is_paused ? "container.paused" : "container.resumed");
}

void container_exited(EngineState& state, ContainerEntry& container, const core::ExitRecord& exit) {
    if (container.facts.state == core::ContainerState::stopped) return;
    if (!container.complete || container.starting) {
        container.early_exit = exit;  // its turn comes after the event of the answer that is due
        return;
    }
    container.facts.state = core::next(container.facts.state, core::ContainerEvent::exited);
    container.facts.exit = exit;
    state.publish(container, "container.exited", exit);
    container.facts.pid = 0;
    container.facts.pod_pid = 0;
}

void sandbox_stopped(EngineState& state, SandboxEntry& sandbox) {
    if (!sandbox.complete || sandbox.facts.state == core::SandboxState::stopped) return;
    sandbox.facts.state = core::next(sandbox.facts.state, core::SandboxEvent::gone);
    if (sandbox.facts.stopped_at == 0) sandbox.facts.stopped_at = unix_microseconds();
    sandbox.facts.pause_pid = 0;
    state.publish(sandbox, "sandbox.stopped");
}

void take_facts(EngineState& state, ContainerEntry& container, core::ContainerFacts facts,
                core::ContainerState reached, const std::string& type) {
    auto exit = std::exchange(facts.exit, std::nullopt);
    if (container.early_exit) exit = std::exchange(container.early_exit, std::nullopt);
    container.facts = std::move(facts);
    container.facts.state = reached;
    state.publish(container, type);
    if (exit) container_exited(state, container, *exit);
}

}  // namespace covey::daemon
