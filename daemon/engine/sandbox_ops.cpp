#include "base/fault.hpp"
#include "base/id.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "core/lifecycle.hpp"
#include "engine/id_blocks.hpp"
#include "engine/lost_group.hpp"
#include "engine/operations.hpp"
#include "engine/requests.hpp"
#include "engine/shim_events.hpp"
#include "engine/teardown.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

/// The host ids of a new user namespace: the request's, or a block that is free. Known from here
/// on, so that no two sandboxes that are being made get the same.
void give_ids(const EngineState& state, SandboxEntry& sandbox) {
    const auto user = sandbox.request.namespaces.find("user");
    if (user == sandbox.request.namespaces.end() ||
        user->second.kind != core::NamespaceWish::Kind::create)
        return;
    auto wish = user->second;
    if (wish.uid_mappings.empty()) {
        IdMappings uids, gids;
        for (const auto& [id, other] : state.registry.sandboxes) {
            const auto& facts = other->facts;
            uids.insert(uids.end(), facts.uid_mappings.begin(), facts.uid_mappings.end());
            gids.insert(gids.end(), facts.gid_mappings.begin(), facts.gid_mappings.end());
        }
        choose_ids(wish, state.config.ids, uids, gids);
    }
    sandbox.facts.uid_mappings = std::move(wish.uid_mappings);
    sandbox.facts.gid_mappings = std::move(wish.gid_mappings);
}

SandboxPtr begin_sandbox(EngineState& state, const CreateSandboxAction& action) {
    auto sandbox = std::make_shared<SandboxEntry>(state.executor);
    sandbox->request = action;
    sandbox->facts.id = action.id;
    give_ids(state, *sandbox);
    sandbox->path = state.sandbox_path(action.id);
    const auto made = sys::mkdir_at(state.sandboxes_folder, action.id, 0700);
    if (!made && made.error() == EEXIST)
        throw Error(
            Code::failed_precondition,
            fmt::format("state folder {} is in the way: it has no usable record", sandbox->path))
            .with_fix("look at what is in it, unmount what is in its ns folder, then remove it");
    made.or_throw("create", sandbox->path);
    auto folder = sys::open_dir_at(state.sandboxes_folder, action.id);
    if (!folder) (void)sys::rmdir_at(state.sandboxes_folder, action.id);
    sandbox->folder = std::move(folder).or_throw("open", sandbox->path);
    return sandbox;
}

void spawn_shim(const StatePtr& state, const SandboxPtr& sandbox) {
    auto spawned = state->surroundings->spawn(sandbox->request.id, sandbox->folder);
    const auto stat =
        sys::read_stat(sys::open_proc().or_throw("open", "/proc"), spawned.process.pid);
    sandbox->facts.shim_pid = spawned.process.pid;
    if (stat) sandbox->facts.shim_start_time = stat.value().start_time;
    adopt_process(*state, *sandbox, std::move(spawned.process.pidfd), ShimProcess::Whose::child);
    attach_link(state, sandbox, std::move(spawned.connection));
    record_sandbox(*state, *sandbox, Phase::creating);
}

core::SandboxConfig sandbox_config_of(const SandboxEntry& sandbox) {
    const auto& action = sandbox.request;
    core::SandboxConfig config{action.id, action.hostname, action.namespaces, action.sysctls,
                               action.cgroup_parent};
    if (!sandbox.facts.uid_mappings.empty()) {
        auto& user = config.namespaces.at("user");
        user.uid_mappings = sandbox.facts.uid_mappings;
        user.gid_mappings = sandbox.facts.gid_mappings;
    }
    return config;
}

/// Everything up to the answer of the shim; throws and leaves what it has made to undo_sandbox.
asio::awaitable<void> make_sandbox(StatePtr state, SandboxPtr sandbox) {
    sys::mkdir_at(sandbox->folder, "containers", 0700).or_throw("create", sandbox->path);
    record_sandbox(*state, *sandbox, Phase::creating);
    fault_point("engine.sandbox_intent");
    spawn_shim(state, sandbox);
    fault_point("engine.shim_spawned");
    const auto link = sandbox->link;
    core::RequestBody wish = core::CreateSandbox{sandbox_config_of(*sandbox)};
    std::optional<core::SandboxFacts> facts;
    try {
        facts = co_await link->ask<core::SandboxFacts>(std::move(wish));
    } catch (const Error& error) {
        sandbox->group_is_foreign = error.code() == Code::already_exists;
        throw;
    }
    fault_point("engine.sandbox_made");
    commit_sandbox(*state, *sandbox, std::move(*facts));
}

asio::awaitable<void> undo_sandbox(StatePtr state, SandboxPtr sandbox) {
    sandbox->closing = true;
    try {
        co_await remove_pod(state, sandbox);
    } catch (const Error& error) {
        log::error("cannot undo a sandbox that was not made",
                   {{"sandbox", sandbox->request.id}, {"problem", error.detail()}});
    }
    state->registry.sandboxes.erase(sandbox->request.id);
}

void require_deletable(const SandboxEntry& sandbox) {
    const auto& id = sandbox.request.id;
    require_known(sandbox);
    if (!sandbox.containers.empty()) {
        const std::vector<std::string> names(sandbox.containers.begin(), sandbox.containers.end());
        throw Error(Code::failed_precondition,
                    fmt::format("sandbox '{}' has containers: {}", id, join(names, ", ")))
            .with_fix(
                fmt::format("delete them first, or all at once: covey sandbox rm --force {}", id));
    }
    if (core::allows(sandbox.facts.state, core::SandboxEvent::remove)) return;
    throw Error(Code::failed_precondition,
                fmt::format("sandbox '{}' is {}", id, core::state_name(sandbox.facts.state)))
        .with_fix(fmt::format("stop it first (covey sandbox stop {0}), or covey sandbox rm "
                              "--force {0}",
                              id));
}

}  // namespace

void adopt_process(EngineState& state, SandboxEntry& sandbox, UniqueFd pidfd,
                   ShimProcess::Whose whose) {
    sandbox.process = ShimProcess::watch(state.executor, std::move(pidfd), whose);
}

void commit_sandbox(EngineState& state, SandboxEntry& sandbox, core::SandboxFacts facts) {
    sandbox.facts = std::move(facts);
    state.surroundings->pin(sandbox.facts, sandbox.folder, sandbox.path);
    fault_point("engine.sandbox_pinned");
    record_sandbox(state, sandbox, Phase::created, sandbox.facts);
    fault_point("engine.sandbox_recorded");
    sandbox.complete = true;
    state.publish(sandbox, "sandbox.created");
    state.publish(sandbox, "sandbox.ready");
}

asio::awaitable<Created<SandboxView>> create_sandbox(StatePtr state, CreateSandboxAction action) {
    if (action.id.empty()) action.id = random_id();
    require_valid(action);
    const auto guard = co_await state->locks->acquire(sandbox_lock(action.id));
    if (const auto there = state->registry.find_sandbox(action.id)) {
        require_known(*there);
        if (!same_request(there->request, action)) throw already_exists("sandbox", action.id);
        co_return Created<SandboxView>{state->registry.view(*there), true};
    }
    if (state->registry.sandboxes.size() >= state->config.most_sandboxes)
        throw Error(Code::too_many, fmt::format("there are {} sandboxes, the most allowed",
                                                state->config.most_sandboxes))
            .with_fix("delete some, or start coveyd with a higher limit");

    const auto sandbox = begin_sandbox(*state, action);
    state->registry.sandboxes.emplace(action.id, sandbox);
    std::exception_ptr failed;
    try {
        co_await make_sandbox(state, sandbox);
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed) {
        co_await undo_sandbox(state, sandbox);
        std::rethrow_exception(failed);
    }
    co_return Created<SandboxView>{state->registry.view(*sandbox), false};
}

asio::awaitable<SandboxView> stop_sandbox(StatePtr state, std::string id) {
    const auto guard = co_await state->locks->acquire(sandbox_lock(id));
    const auto sandbox = state->registry.sandbox(id);
    require_known(*sandbox);
    const bool was_closing = std::exchange(sandbox->closing, true);
    std::exception_ptr failed;
    try {
        co_await stop_pod(state, sandbox);
    } catch (...) {
        failed = std::current_exception();
    }
    sandbox->closing = was_closing;  // its state keeps new containers out from now on
    if (failed) std::rethrow_exception(failed);
    co_return state->registry.view(*sandbox);
}

asio::awaitable<void> delete_sandbox(StatePtr state, std::string id, bool force) {
    const auto guard = co_await state->locks->acquire(sandbox_lock(id));
    const auto sandbox = state->registry.find_sandbox(id);
    if (!sandbox && force) co_return;
    if (!sandbox) (void)state->registry.sandbox(id);  // throws not_found
    if (!force) require_deletable(*sandbox);
    co_await refuse_lost_group(state, sandbox);
    sandbox->closing = sandbox->deleting = true;
    auto record = record_of(*sandbox, Phase::deleting, sandbox->facts);
    keep_record(*state, *sandbox, std::move(record));
    co_await delete_pod(state, sandbox);
}

}  // namespace covey::daemon
