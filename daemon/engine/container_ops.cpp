#include "base/fault.hpp"
#include "base/log.hpp"
#include "core/lifecycle.hpp"
#include "engine/lending.hpp"
#include "engine/operations.hpp"
#include "engine/requests.hpp"
#include "engine/shim_events.hpp"
#include "engine/teardown.hpp"
#include "sys/file.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr const char* kOwnConfigName = "config.json";  // its folder is the bundle then
constexpr milliseconds kKillLimit{4'000};              // from SIGKILL to the report of the end
constexpr milliseconds kPatience{300};                 // of a delete, with what is under way
constexpr milliseconds kHearLimit{1'000};              // for the report of an end that has been

core::ContainerConfig container_config_of(const CreateContainerAction& action) {
    core::ContainerConfig config;
    config.id = action.id;
    config.bundle = action.bundle;
    config.pid_mode = action.pid_mode.value_or(spec::PidMode::nested);
    config.add_capabilities = action.add_capabilities;
    config.drop_capabilities = action.drop_capabilities;
    config.stdio = action.stdio;
    config.target = action.target;
    config.access = action.access.value_or(spec::kOpen);
    config.pid1_signals = action.pid1_signals.value_or(spec::Pid1Signals::ignore);
    if (action.debug) {
        config.view = action.debug->target;
        config.holds = action.debug->holds;
    }
    return config;
}

UniqueFd make_folder(const SandboxEntry& sandbox, const std::string& id) {
    const auto name = container_folder(id);
    // What a create that could not be undone has left: undo_container was tried before.
    sys::remove_tree_at(sandbox.folder, name).or_throw("remove", sandbox.path + "/" + name);
    sys::mkdir_at(sandbox.folder, name, 0700).or_throw("create", sandbox.path + "/" + name);
    return sys::open_dir_at(sandbox.folder, name).or_throw("open", sandbox.path + "/" + name);
}

bool has_folder(const SandboxEntry& sandbox, const std::string& id) {
    return sys::stat_at(sandbox.folder, container_folder(id)).has_value();
}

asio::awaitable<void> make_container(StatePtr state, SandboxPtr sandbox, ContainerPtr container,
                                     std::string own_config) {
    const auto& request = container->request;
    if (has_folder(*sandbox, request.id)) co_await undo_container(state, sandbox, request.id);
    const auto folder = make_folder(*sandbox, request.id);
    write_container_record(folder, {Phase::creating, request, {}}, state->boot_id);
    if (!own_config.empty())
        sys::replace_file_at(folder, kOwnConfigName, own_config, 0600)
            .or_throw("write the configuration of container", request.id);
    fault_point("engine.container_intent");
    const auto link = sandbox->link;
    core::RequestBody wish = core::CreateContainer{container_config_of(request)};
    auto facts = co_await link->ask<core::ContainerFacts>(std::move(wish));
    fault_point("engine.container_made");
    commit_container(*state, *sandbox, *container, std::move(facts));
}

ContainerPtr begin_container(EngineState& state, SandboxEntry& sandbox,
                             const CreateContainerAction& action) {
    if (state.registry.containers.size() >= state.config.most_containers)
        throw Error(Code::too_many, fmt::format("there are {} containers, the most allowed",
                                                state.config.most_containers))
            .with_fix("delete some, or start coveyd with a higher limit");
    auto container = std::make_shared<ContainerEntry>(state.executor);
    container->request = action;
    container->facts.config = container_config_of(action);
    state.registry.containers.emplace(action.id, container);
    sandbox.containers.insert(action.id);
    return container;
}

asio::awaitable<bool> wait_exit(ContainerPtr container, Clock::time_point deadline) {
    while (!container->facts.exit && !container->deleted && Clock::now() < deadline)
        co_await container->changed.wait_until(deadline);
    co_return container->facts.exit.has_value() || container->deleted;
}

/// False when it had ended already.
asio::awaitable<bool> send_signal(SandboxPtr sandbox, std::string id, int signal, bool all) {
    if (!sandbox->has_shim()) co_return false;
    const auto link = sandbox->link;
    try {
        core::RequestBody wish = core::KillContainer{id, signal, all};
        (void)co_await link->ask<core::Done>(std::move(wish));
    } catch (const Error& error) {
        // Not found: it was cut short, and its end was told before.
        if (error.code() != Code::failed_precondition && error.code() != Code::not_found) throw;
        co_return false;
    }
    co_return true;
}

/// Of an end that the shim knows of and we have not heard: asks for it instead of waiting.
asio::awaitable<void> ask_for_exit(StatePtr state, SandboxPtr sandbox, ContainerPtr container) {
    const bool heard = co_await wait_exit(container, Clock::now() + kHearLimit);
    if (heard || !sandbox->has_shim()) co_return;
    const auto link = sandbox->link;
    core::RequestBody question = core::Status{};
    const auto answer = co_await link->call(std::move(question));
    for (const auto& item : answer.items)
        if (const auto* facts = std::get_if<core::ContainerFacts>(&item.item);
            facts != nullptr && facts->config.id == container->request.id && facts->exit)
            container_exited(*state, *container, *facts->exit);
}

asio::awaitable<void> kill_all(StatePtr state, SandboxPtr sandbox, ContainerPtr container) {
    const bool sent = co_await send_signal(sandbox, container->request.id, SIGKILL, true);
    if (!sent) co_await ask_for_exit(state, sandbox, container);
    const bool ended = co_await wait_exit(container, Clock::now() + kKillLimit);
    if (ended) co_return;
    const auto& cgroup = container->facts.cgroup;
    throw Error(Code::timeout,
                fmt::format("container '{}' has processes left {} s after SIGKILL: {}",
                            container->request.id, kKillLimit.count() / 1000,
                            cgroup.empty() ? "its cgroup is not known"
                                           : state->surroundings->survivors(cgroup)))
        .with_fix(
            "they wait in the kernel (state D), often for a mount; try again when it answers");
}

}  // namespace

void commit_container(EngineState& state, SandboxEntry& sandbox, ContainerEntry& container,
                      core::ContainerFacts facts) {
    const auto folder = sys::open_dir_at(sandbox.folder, container_folder(container.request.id))
                            .or_throw("open the state folder of container", container.request.id);
    write_container_record(folder, {Phase::created, container.request, {}}, state.boot_id);
    fault_point("engine.container_recorded");
    container.complete = true;
    take_facts(state, container, std::move(facts), core::ContainerState::created,
               "container.created");
}

asio::awaitable<void> undo_container(StatePtr state, SandboxPtr sandbox, std::string id) {
    try {
        if (sandbox->has_shim()) {
            const auto link = sandbox->link;
            core::RequestBody wish = core::DeleteContainer{id, true};
            (void)co_await link->ask<core::Done>(std::move(wish));
        }
    } catch (const Error& error) {
        if (error.code() != Code::not_found)
            log::warning("shim cannot undo a container",
                         {{"container", id}, {"problem", error.detail()}});
    }
    try {
        forget_container(*state, *sandbox, id);
    } catch (const Error& error) {
        log::error("cannot undo a container", {{"container", id}, {"problem", error.detail()}});
    }
}

/// Elsewhere number 1 is the container's own main process, or nobody of the pod's.
void complete_pid1_signals(CreateContainerAction& action, const CreateSandboxAction& sandbox) {
    const bool in_pod = action.pid_mode == spec::PidMode::pod;
    if (!in_pod && action.pid1_signals == spec::Pid1Signals::route)
        throw Error(Code::invalid_argument,
                    fmt::format("pid1Signals 'route' has no meaning in pidMode '{}'",
                                spec::pid_mode_name(*action.pid_mode)))
            .with_fix("set pidMode to \"pod\", or remove the field 'pid1Signals'");
    if (!action.pid1_signals)
        action.pid1_signals = in_pod ? sandbox.pid1_signals : spec::Pid1Signals::ignore;
}

asio::awaitable<Created<ContainerView>> create_container(StatePtr state,
                                                         CreateContainerAction action,
                                                         std::string own_config) {
    require_valid(action);
    const auto guard = co_await state->locks->acquire(container_lock(action.id));
    const auto sandbox = state->registry.sandbox(action.sandbox);
    if (!action.pid_mode) action.pid_mode = sandbox->request.pid_mode;
    if (!action.access) action.access = sandbox->request.access;
    complete_pid1_signals(action, sandbox->request);
    if (const auto there = state->registry.find_container(action.id)) {
        if (!same_request(there->request, action)) throw already_exists("container", action.id);
        co_return Created<ContainerView>{Registry::view(*there), true};
    }
    require_open(*sandbox);
    const BusyGuard busy(sandbox);
    const auto container = begin_container(*state, *sandbox, action);
    std::exception_ptr failed;
    try {
        co_await make_container(state, sandbox, container, std::move(own_config));
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed) {
        container->complete = false;
        co_await undo_container(state, sandbox, action.id);
        std::rethrow_exception(failed);
    }
    co_return Created<ContainerView>{Registry::view(*container), false};
}

asio::awaitable<ContainerView> start_container(StatePtr state, std::string id) {
    const auto guard = co_await state->locks->acquire(container_lock(id));
    const auto container = state->registry.container(id);
    require(*container, core::ContainerEvent::start);
    const auto sandbox = state->registry.sandbox(container->request.sandbox);
    require_open(*sandbox);
    refuse_lending(*state, *sandbox, *container);
    const BusyGuard busy(sandbox);
    container->starting = true;
    const auto link = sandbox->link;
    std::optional<core::ContainerFacts> facts;
    std::exception_ptr failed;
    try {
        core::RequestBody wish = core::StartContainer{id};
        facts = co_await link->ask<core::ContainerFacts>(std::move(wish));
    } catch (...) {
        failed = std::current_exception();
    }
    container->starting = false;
    if (failed) {
        if (const auto exit = std::exchange(container->early_exit, std::nullopt))
            container_exited(*state, *container, *exit);
        std::rethrow_exception(failed);
    }
    take_facts(*state, *container, std::move(*facts), core::ContainerState::running,
               "container.started");
    co_return Registry::view(*container);
}

asio::awaitable<void> kill_container(StatePtr state, KillAction action) {
    const auto container = state->registry.container(action.container);
    require(*container, core::ContainerEvent::kill);
    const auto sandbox = state->registry.sandbox(container->request.sandbox);
    require_open(*sandbox);
    if (action.pid) {
        signal_process(*state, action.container, *action.pid, action.signal);
        co_return;
    }
    const BusyGuard busy(sandbox);
    const auto link = sandbox->link;
    core::RequestBody wish = core::KillContainer{action.container, action.signal, action.all};
    (void)co_await link->ask<core::Done>(std::move(wish));
}

asio::awaitable<ContainerView> stop_container(StatePtr state, StopContainerAction action) {
    const auto container = state->registry.container(action.container);
    if (container->facts.state == core::ContainerState::stopped)
        co_return Registry::view(*container);
    const auto sandbox = state->registry.sandbox(container->request.sandbox);
    // Not busy: whoever stops the whole sandbox does not wait for this one's patience.
    const auto deadline = Clock::now() + action.timeout;
    bool asked = false;
    if (core::has_started(container->facts.state))
        asked = co_await send_signal(sandbox, action.container, SIGTERM, false);
    if (asked) asked = co_await resume_to_stop(state, sandbox, container);
    bool ended = false;
    if (asked) ended = co_await wait_exit(container, deadline);
    if (!ended) co_await kill_all(state, sandbox, container);
    co_return Registry::view(*container);
}

asio::awaitable<void> cut_short(StatePtr state, std::string id) {
    const auto container = state->registry.find_container(id);
    if (!container || (container->complete && !container->starting)) co_return;
    const auto sandbox = state->registry.find_sandbox(container->request.sandbox);
    if (!sandbox || !sandbox->has_shim()) co_return;
    const auto link = sandbox->link;
    try {
        core::RequestBody wish = core::KillContainer{id, SIGKILL, true};
        if (!container->starting) wish = core::DeleteContainer{id, true};
        (void)co_await link->ask<core::Done>(std::move(wish));
    } catch (const Error& error) {  // it has ended meanwhile
        log::debug("nothing to cut short", {{"container", id}, {"problem", error.detail()}});
    }
}

/// A create or start that is under way, and may be for half a minute when a neighbour has stopped
/// the container's first process, ends with the container: a delete waits for it for a moment only.
asio::awaitable<void> cut_short_later(StatePtr state, std::string id,
                                      std::shared_ptr<const bool> waits) {
    Signal timer(state->executor);
    co_await timer.wait_until(Clock::now() + kPatience);
    if (*waits) co_await cut_short(state, id);
}

asio::awaitable<void> delete_container(StatePtr state, std::string id, bool force) {
    const auto waits = std::make_shared<bool>(true);
    if (force) asio::co_spawn(state->executor, cut_short_later(state, id, waits), asio::detached);
    const auto guard = co_await state->locks->acquire(container_lock(id));
    *waits = false;
    const auto container = state->registry.find_container(id);
    if (!container && force) co_return;
    if (!container) (void)state->registry.container(id);  // throws not_found
    if (!force) require(*container, core::ContainerEvent::remove);
    const auto sandbox = state->registry.sandbox(container->request.sandbox);
    const BusyGuard busy(sandbox);
    // Killed first and deleted then, so that its exit is on record and in the journal before.
    if (container->facts.state != core::ContainerState::stopped)
        co_await kill_all(state, sandbox, container);
    if (sandbox->has_shim()) {
        const auto link = sandbox->link;
        try {
            core::RequestBody wish = core::DeleteContainer{id, force};
            (void)co_await link->ask<core::Done>(std::move(wish));
        } catch (const Error& error) {
            if (error.code() != Code::not_found && error.code() != Code::sandbox_gone) throw;
        }
    }
    fault_point("engine.container_deleted");
    if (container->deleted) co_return;  // with its sandbox, meanwhile
    forget_container(*state, *sandbox, id);
}

asio::awaitable<std::optional<core::ExitRecord>> wait_container(StatePtr state, std::string id,
                                                                milliseconds limit) {
    const auto container = state->registry.container(id);
    (void)co_await wait_exit(container, Clock::now() + limit);
    if (!container->facts.exit && container->deleted)
        throw Error(Code::not_found, fmt::format("container '{}' was deleted before it ended", id));
    co_return container->facts.exit;
}

}  // namespace covey::daemon
