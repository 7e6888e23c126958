#include "base/id.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "engine/operations.hpp"
#include "engine/recovery.hpp"
#include "engine/shim_events.hpp"
#include "engine/teardown.hpp"
#include "sys/file.hpp"

#include <boost/asio/detached.hpp>

#include <algorithm>
#include <utility>

#include <fcntl.h>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

ShimStatus status_from_items(std::vector<core::StatusItem> items) {
    ShimStatus status;
    status.shim = ShimStatus::Shim::alive;
    for (auto& item : items) {
        if (auto* sandbox = std::get_if<core::SandboxFacts>(&item.item))
            status.sandbox = std::move(*sandbox);
        else if (auto* container = std::get_if<core::ContainerFacts>(&item.item))
            status.containers.emplace(container->config.id, std::move(*container));
        else
            status.execs.push_back(std::move(std::get<core::ExecFacts>(item.item)));
    }
    return status;
}

/// Ours have the pins' paths; the shim's know first that the sandbox has stopped.
core::SandboxFacts sandbox_facts_on_disk(FdRef folder, const SandboxRecord& record) {
    const auto told = read_sandbox_facts(folder);
    auto facts = record.last_facts.value_or(told.value_or(core::SandboxFacts{}));
    if (told && told->state == core::SandboxState::stopped) {
        facts.state = told->state;
        facts.stopped_at = told->stopped_at;
        facts.exit = told->exit;
        facts.pause_pid = 0;
    }
    return facts;
}

SandboxPtr open_entry(EngineState& state, const std::string& id, UniqueFd folder,
                      const SandboxRecord& record) {
    auto sandbox = std::make_shared<SandboxEntry>(state.executor);
    sandbox->request = record.request;
    sandbox->path = state.sandbox_path(id);
    sandbox->folder = std::move(folder);
    sandbox->facts = sandbox_facts_on_disk(sandbox->folder, record);
    sandbox->facts.id = id;
    sandbox->facts.shim_pid = record.shim_pid;
    sandbox->facts.shim_start_time = record.shim_start_time;
    if (auto pidfd = state.surroundings->find_process(record.shim_pid, record.shim_start_time))
        adopt_process(state, *sandbox, std::move(*pidfd), ShimProcess::Whose::foreign);
    return sandbox;
}

/// Its record was never written, or is of an earlier boot: nothing of it can exist.
void discard(EngineState& state, const std::string& id, FdRef folder) {
    state.surroundings->unpin(folder);
    sys::remove_tree_at(state.sandboxes_folder, id).or_throw("remove", state.sandbox_path(id));
}

/// The facts of a sandbox that is complete, from the shim or else from disk.
void take_sandbox_facts(Recovery& recovery, SandboxEntry& sandbox, const ShimStatus& status) {
    auto known = std::move(sandbox.facts);
    sandbox.facts = status.sandbox ? *status.sandbox : known;
    if (sandbox.facts.state == core::SandboxState::ready && status.sandbox) {
        recovery.state->surroundings->pin(sandbox.facts, sandbox.folder, sandbox.path);
        return;
    }
    // Its files may be half removed: what was told once stays true.
    const auto seen = recovery.index.sandboxes.find(sandbox.request.id);
    if (!status.sandbox && seen != recovery.index.sandboxes.end() && seen->second.stopped)
        sandbox.facts.state = core::SandboxState::stopped;
    for (auto& [type, entry] : sandbox.facts.namespaces)
        if (const auto pin = known.namespaces.find(type); pin != known.namespaces.end())
            entry.path = pin->second.path;
}

void publish_missing(Recovery& recovery, SandboxEntry& sandbox) {
    const auto& index = recovery.index;
    const auto at = index.sandboxes.find(sandbox.request.id);
    const auto seen = at == index.sandboxes.end() ? JournalIndex::Sandbox{} : at->second;
    const auto made = sandbox.facts.created_at;
    if (index.must_write(seen.created, made)) recovery.state->publish(sandbox, "sandbox.created");
    if (index.must_write(seen.ready, made)) recovery.state->publish(sandbox, "sandbox.ready");
}

void publish_missing_stop(Recovery& recovery, SandboxEntry& sandbox) {
    if (sandbox.facts.state != core::SandboxState::stopped) return;
    const auto at = recovery.index.sandboxes.find(sandbox.request.id);
    const bool seen = at != recovery.index.sandboxes.end() && at->second.stopped;
    sandbox.facts.pause_pid = 0;
    if (recovery.index.must_write(seen, sandbox.facts.stopped_at))
        recovery.state->publish(sandbox, "sandbox.stopped");
}

asio::awaitable<void> finish_create(Recovery& recovery, SandboxPtr sandbox, ShimStatus status) {
    const auto& id = sandbox->request.id;
    if (status.sandbox && status.sandbox->state == core::SandboxState::ready) {
        commit_sandbox(*recovery.state, *sandbox, std::move(*status.sandbox));
        log::info("a sandbox that was being created is complete", {{"sandbox", id}});
        co_return;
    }
    co_await remove_pod(recovery.state, sandbox);
    recovery.state->registry.sandboxes.erase(id);
    log::info("a sandbox that was being created is undone", {{"sandbox", id}});
}

asio::awaitable<void> adopt(Recovery& recovery, SandboxPtr sandbox, ShimStatus status) {
    if (status.shim == ShimStatus::Shim::alive && !status.sandbox)
        status.shim = ShimStatus::Shim::dead;  // an empty shim is none
    sandbox->complete = true;
    take_sandbox_facts(recovery, *sandbox, status);
    publish_missing(recovery, *sandbox);
    co_await recover_containers(recovery, sandbox, status);
    publish_missing_stop(recovery, *sandbox);
    if (sandbox->early_stop) sandbox_stopped(*recovery.state, *sandbox);
    if (status.shim == ShimStatus::Shim::dead) co_await bury(recovery.state, sandbox);
    co_await end_execs(recovery, sandbox, status);
}

asio::awaitable<void> recover_sandbox(Recovery& recovery, std::string id) {
    const auto state = recovery.state;
    const auto guard = co_await state->locks->acquire(sandbox_lock(id));
    auto folder = sys::open_at(state->sandboxes_folder, id, O_PATH | O_DIRECTORY | O_NOFOLLOW)
                      .or_throw("open sandbox", id);
    remove_half_written(folder);
    auto read = read_sandbox_record(folder, state->boot_id);
    if (read.record && read.record->request.id != id)
        read = {
            {}, Unread::unusable, "record.json is of sandbox '" + read.record->request.id + "'"};
    if (!read.record && (read.why == Unread::unusable || recovery.shims.contains(id))) {
        co_await adopt_unknown(recovery, id, std::move(folder), std::move(read.problem));
        co_return;
    }
    if (!read.record) {
        discard(*state, id, folder);
        co_return;
    }
    const auto sandbox = open_entry(*state, id, std::move(folder), *read.record);
    state->registry.sandboxes.emplace(id, sandbox);
    auto status = co_await reach_shim(state, sandbox);
    if (read.record->phase == Phase::creating) {
        co_await finish_create(recovery, sandbox, std::move(status));
        co_return;
    }
    sandbox->closing = sandbox->deleting = read.record->phase == Phase::deleting;
    co_await adopt(recovery, sandbox, std::move(status));
    if (sandbox->closing) co_await delete_pod(state, sandbox);
}

asio::awaitable<void> recover_guarded(Recovery& recovery, std::string id) {
    const auto state = recovery.state;
    std::string problem;
    try {
        co_await recover_sandbox(recovery, id);
        co_return;
    } catch (const std::exception& error) {
        // One that cannot be recovered must not keep the others from being served.
        problem = error.what();
    }
    log::error("sandbox not recovered", {{"sandbox", id}, {"problem", problem}});
    const auto sandbox = state->registry.find_sandbox(id);
    if (sandbox && sandbox->complete) co_return;
    if (sandbox) {
        if (sandbox->link) sandbox->link->close();
        state->registry.sandboxes.erase(id);
    }
    try {
        auto folder = sys::open_at(state->sandboxes_folder, id, O_PATH | O_DIRECTORY | O_NOFOLLOW)
                          .or_throw("open sandbox", id);
        co_await adopt_unknown(recovery, id, std::move(folder), std::move(problem));
    } catch (const std::exception& error) {
        log::error("what is in its place among the sandboxes is left as it is",
                   {{"sandbox", id}, {"problem", error.what()}});
    }
}

/// What the journal still knows and nothing else does was deleted, and nobody was told.
void publish_deletions(Recovery& recovery) {
    auto& state = *recovery.state;
    const JournalIndex index(*state.events);
    for (const auto& [id, container] : index.containers) {
        if (state.registry.find_container(id)) continue;
        // It may well run: its record went with that of its sandbox.
        const auto sandbox = state.registry.find_sandbox(container.sandbox);
        if (sandbox && !sandbox->problem.empty()) continue;
        EventRecord event;
        event.type = "container.deleted";
        event.sandbox = container.sandbox;
        event.container = id;
        (void)state.events->append(std::move(event));
    }
    for (const auto& [id, sandbox] : index.sandboxes) {
        if (state.registry.find_sandbox(id)) continue;
        EventRecord event;
        event.type = "sandbox.deleted";
        event.sandbox = id;
        (void)state.events->append(std::move(event));
    }
}

/// Those that a shim has a folder of, and nobody else.
void add_lost(EngineState& state, const Recovery& recovery, std::vector<std::string>& names) {
    for (const auto& [id, shim] : recovery.shims) {
        if (std::find(names.begin(), names.end(), id) != names.end()) continue;
        log::error("a pod runs whose state folder was removed", {{"sandbox", id}});
        // Empty: where its deletion works, and what a next daemon finds.
        const auto made = sys::mkdir_at(state.sandboxes_folder, id, 0700);
        if (made)
            names.push_back(id);
        else
            log::error("it cannot be shown: no folder can be made for it",
                       {{"sandbox", id}, {"problem", errno_text(made.error())}});
    }
}

}  // namespace

asio::awaitable<ShimStatus> reach_shim(StatePtr state, SandboxPtr sandbox) {
    ShimStatus status;
    try {
        attach_link(state, sandbox, state->surroundings->connect(sandbox->folder));
        const auto link = sandbox->link;
        core::RequestBody question = core::Status{};
        auto answer = co_await link->call(std::move(question));
        status = status_from_items(std::move(answer.items));
    } catch (const Error& error) {
        if (error.code() == Code::timeout || error.code() == Code::unavailable)
            status.shim = ShimStatus::Shim::silent;
        log::warning("shim not reached",
                     {{"sandbox", sandbox->request.id}, {"problem", error.detail()}});
    }
    if (!sandbox->has_shim()) status.shim = ShimStatus::Shim::dead;
    co_return status;
}

asio::awaitable<void> recover(StatePtr state) {
    // A second set of the same objects would wait for events that the first one gets.
    if (std::exchange(state->recovered, true))
        throw Error(Code::failed_precondition, "the engine has recovered already");
    Recovery recovery{state, JournalIndex(*state->events)};
    remove_half_written(state->root.fd());
    for (auto& shim : state->surroundings->find_shims(state->root.fd()))
        recovery.shims.insert_or_assign(shim.id, std::move(shim));
    auto names = sys::list_dir(state->sandboxes_folder).or_throw("list", "sandboxes");
    add_lost(*state, recovery, names);
    std::size_t open = 0;
    Signal changed(state->executor);
    for (const auto& name : names) {
        if (!is_valid_id(name)) {
            log::warning("foreign entry among the sandboxes left alone", {{"name", name}});
            continue;
        }
        ++open;
        asio::co_spawn(state->executor, recover_guarded(recovery, name),
                       [&open, &changed](const std::exception_ptr&) {
                           --open;
                           changed.notify();
                       });
    }
    while (open != 0)
        co_await changed.wait();
    publish_deletions(recovery);
    for (const auto& [id, container] : state->registry.containers)
        if (container->complete && container->request.debug) watch_debugger(state, container);
    state->engine_containers->open(state->config.engine_registry);
    log::info("recovered", {{"sandboxes", std::to_string(state->registry.sandboxes.size())},
                            {"containers", std::to_string(state->registry.containers.size())}});
}

}  // namespace covey::daemon
