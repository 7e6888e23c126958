// What can be changed of a container while it is there. Containers stand still and go on. What the
// shim answers is the truth, also about one that was paused before coveyd came.
#include "base/log.hpp"
#include "engine/operations.hpp"
#include "engine/requests.hpp"
#include "engine/shim_events.hpp"
#include "sys/terminal.hpp"

#include <fmt/format.h>

#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> carry_out(StatePtr state, SandboxPtr sandbox, ContainerPtr container,
                                core::RequestBody wish) {
    const auto link = sandbox->link;
    auto facts = co_await link->ask<core::ContainerFacts>(std::move(wish));
    container_paused_or_resumed(*state, *container, std::move(facts));
}

asio::awaitable<ContainerView> pause_or_resume(StatePtr state, std::string id,
                                               core::ContainerEvent event, core::RequestBody wish) {
    const auto guard = co_await state->locks->acquire(container_lock(id));
    const auto container = state->registry.container(id);
    require(*container, event);
    const auto sandbox = state->registry.sandbox(container->request.sandbox);
    require_open(*sandbox);
    const BusyGuard busy(sandbox);
    co_await carry_out(state, sandbox, container, std::move(wish));
    co_return Registry::view(*container);
}

/// The exec's terminal is coveyd's own: its client is served from here.
void resize_exec(const SandboxEntry& sandbox, const ResizeAction& action) {
    const auto at = sandbox.execs.find({action.container, action.exec});
    if (at == sandbox.execs.end())
        throw Error(Code::not_found, fmt::format("no exec '{}' runs in container '{}'", action.exec,
                                                 action.container))
            .with_fix("take the id from the header Covey-Exec-Id of the exec's answer");
    if (!at->second->terminal)
        throw Error(Code::failed_precondition,
                    fmt::format("exec '{}' of container '{}' has no terminal", action.exec,
                                action.container))
            .with_fix("begin it with ?tty=true");
    sys::set_terminal_size(at->second->terminal, action.rows, action.columns)
        .or_throw("set the size of", "the exec's terminal");
}

}  // namespace

asio::awaitable<ContainerView> pause_container(StatePtr state, std::string id) {
    core::RequestBody wish = core::PauseContainer{id};
    return pause_or_resume(std::move(state), std::move(id), core::ContainerEvent::pause,
                           std::move(wish));
}

asio::awaitable<ContainerView> resume_container(StatePtr state, std::string id) {
    core::RequestBody wish = core::ResumeContainer{id};
    return pause_or_resume(std::move(state), std::move(id), core::ContainerEvent::resume,
                           std::move(wish));
}

asio::awaitable<void> update_container(StatePtr state, UpdateAction action) {
    const auto guard = co_await state->locks->acquire(container_lock(action.container));
    const auto container = state->registry.container(action.container);
    require(*container, core::ContainerEvent::update);
    const auto sandbox = state->registry.sandbox(container->request.sandbox);
    require_open(*sandbox);
    const BusyGuard busy(sandbox);
    const auto link = sandbox->link;
    core::RequestBody wish = core::UpdateContainer{action.container, std::move(action.resources)};
    (void)co_await link->ask<core::Done>(std::move(wish));
}

asio::awaitable<void> resize_container(StatePtr state, ResizeAction action) {
    const auto container = state->registry.container(action.container);
    require(*container, core::ContainerEvent::resize);
    const auto sandbox = state->registry.sandbox(container->request.sandbox);
    require_open(*sandbox);
    if (!action.exec.empty()) {
        resize_exec(*sandbox, action);
        co_return;
    }
    const BusyGuard busy(sandbox);
    const auto link = sandbox->link;
    core::RequestBody wish = core::ResizeContainer{action.container, action.rows, action.columns};
    (void)co_await link->ask<core::Done>(std::move(wish));
}

asio::awaitable<bool> resume_to_stop(StatePtr state, SandboxPtr sandbox, ContainerPtr container) {
    if (container->facts.state != core::ContainerState::paused) co_return true;
    if (!sandbox->has_shim()) co_return false;
    try {
        core::RequestBody wish = core::ResumeContainer{container->request.id};
        co_await carry_out(state, sandbox, container, std::move(wish));
    } catch (const Error& error) {
        log::warning("a container that is to stop cannot be resumed",
                     {{"container", container->request.id}, {"problem", error.detail()}});
        co_return false;
    }
    co_return true;
}

}  // namespace covey::daemon
