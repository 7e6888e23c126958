#include "base/log.hpp"
#include "engine/operations.hpp"
#include "engine/recovery.hpp"
#include "engine/shim_events.hpp"
#include "engine/teardown.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <utility>

#include <fcntl.h>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

constexpr int kLostExit = 255;

const JournalIndex::Container& seen_of(const Recovery& recovery, const std::string& id) {
    static const JournalIndex::Container nothing;
    const auto at = recovery.index.containers.find(id);
    return at == recovery.index.containers.end() ? nothing : at->second;
}

/// The container as it is, with the events that the journal lacks: each exactly once.
void adopt_container(Recovery& recovery, ContainerEntry& container, core::ContainerFacts facts) {
    auto& state = *recovery.state;
    const auto& index = recovery.index;
    const auto& seen = seen_of(recovery, container.request.id);
    container.complete = true;
    container.facts = std::move(facts);
    container.exec_rights = {container.facts.exec_capabilities, container.facts.exec_other_user};
    // Its files may be half removed: what was told once stays true.
    if (!container.facts.exit) container.facts.exit = seen.exit;
    if (index.must_write(seen.created, container.facts.created_at))
        state.publish(container, "container.created");
    if (container.facts.started_at != 0 &&
        index.must_write(seen.started, container.facts.started_at))
        state.publish(container, "container.started");
    const auto state_now = container.facts.state;
    if (state_now == core::ContainerState::paused &&
        index.must_write(seen.paused, container.facts.paused_at))
        state.publish(container, "container.paused");
    if (state_now == core::ContainerState::running && seen.paused)
        state.publish(container, "container.resumed");
    if (!container.facts.exit) return;
    if (index.must_write(seen.exited, container.facts.exit->exited_at))
        state.publish(container, "container.exited", container.facts.exit);
    container.facts.state = core::ContainerState::stopped;
    container.facts.pid = 0;
    container.facts.pod_pid = 0;
}

/// What is known of a container of which the shim says nothing.
core::ContainerFacts container_facts_on_disk(FdRef folder, const ContainerRecord& record) {
    if (record.last_facts) return *record.last_facts;
    if (auto facts = read_container_facts(folder)) return std::move(*facts);
    core::ContainerFacts facts;
    facts.config.id = record.request.id;
    facts.state = core::ContainerState::created;
    return facts;
}

ContainerPtr make_entry(EngineState& state, SandboxEntry& sandbox, const ContainerRecord& record) {
    auto container = std::make_shared<ContainerEntry>(state.executor);
    container->request = record.request;
    state.registry.containers.insert_or_assign(record.request.id, container);
    sandbox.containers.insert(record.request.id);
    return container;
}

/// There is no record that says what it was asked to be; what the shim says of it is shown.
void adopt_unknown_container(EngineState& state, SandboxEntry& sandbox, const std::string& id,
                             FdRef folder, const core::ContainerFacts* told, std::string problem) {
    ContainerRecord record;
    record.request.id = id;
    record.request.sandbox = sandbox.request.id;
    const auto container = make_entry(state, sandbox, record);
    container->facts = told != nullptr ? *told : container_facts_on_disk(folder, record);
    container->facts.config.id = id;
    if (told == nullptr) container->facts.pid = container->facts.pod_pid = 0;
    container->request.bundle = container->facts.config.bundle;
    container->facts.state = core::ContainerState::unknown;
    container->problem = std::move(problem);
    container->complete = true;
    log::error("the state of a container is unknown: it is shown, and can be deleted with force",
               {{"container", id}, {"problem", container->problem}});
}

bool is_of(const ContainerRecord& record, const std::string& id, const SandboxEntry& sandbox) {
    return record.request.id == id && record.request.sandbox == sandbox.request.id;
}

/// What is left to be done about a container once all of them are known.
enum class Rest { nothing, undo, forget };

/// Waits for nothing: events that the shim sends from now on find the container.
Rest recover_container(Recovery& recovery, SandboxEntry& sandbox, const std::string& id,
                       const ShimStatus& status) {
    auto& state = *recovery.state;
    const auto folder =
        sys::open_at(sandbox.folder, container_folder(id), O_PATH | O_DIRECTORY | O_NOFOLLOW)
            .or_throw("open container", id);
    remove_half_written(folder);
    auto read = read_container_record(folder, state.boot_id);
    if (read.record && !is_of(*read.record, id, sandbox))
        read = {
            {}, Unread::unusable, "record.json is of container '" + read.record->request.id + "'"};
    const auto told = status.containers.find(id);
    const bool is_known = told != status.containers.end();
    // A record is written before its shim hears of a container: it was there.
    const bool was_made = is_known && told->second.state != core::ContainerState::creating;
    if (!read.record && (read.why == Unread::unusable || was_made)) {
        adopt_unknown_container(state, sandbox, id, folder, is_known ? &told->second : nullptr,
                                std::move(read.problem));
        return Rest::nothing;
    }
    if (!read.record) return Rest::undo;
    const auto container = make_entry(state, sandbox, *read.record);
    if (read.record->phase == Phase::creating) {
        if (!is_known || told->second.state == core::ContainerState::creating) return Rest::undo;
        commit_container(state, sandbox, *container, told->second);
    } else {
        adopt_container(recovery, *container,
                        is_known ? told->second : container_facts_on_disk(folder, *read.record));
    }
    if (const auto early = sandbox.early_starts.find(id); early != sandbox.early_starts.end())
        container_started(state, sandbox, early->second);
    if (const auto early = sandbox.early_exits.find(id); early != sandbox.early_exits.end())
        container_exited(state, *container, early->second);
    // A shim that does not know a complete one was told to delete it, and had.
    const bool was_deleted = !is_known && status.shim == ShimStatus::Shim::alive;
    return was_deleted ? Rest::forget : Rest::nothing;
}

/// Those with a folder, and those that the shim holds without one: they get an empty one.
std::vector<std::string> names_of_containers(const SandboxEntry& sandbox,
                                             const ShimStatus& status) {
    std::vector<std::string> names;
    if (const auto folder = sys::open_dir_at(sandbox.folder, "containers"))
        names = sys::list_dir(folder.value()).or_throw("list containers of", sandbox.path);
    for (const auto& [id, facts] : status.containers)
        if (std::find(names.begin(), names.end(), id) == names.end() &&
            sys::mkdir_all_at(sandbox.folder, container_folder(id), 0700))
            names.push_back(id);
    return names;
}

}  // namespace

asio::awaitable<void> recover_containers(Recovery& recovery, SandboxPtr sandbox,
                                         const ShimStatus& status) {
    const auto state = recovery.state;
    std::vector<std::string> to_undo, to_forget;
    for (const auto& id : names_of_containers(*sandbox, status)) {
        try {
            const auto rest = recover_container(recovery, *sandbox, id, status);
            if (rest == Rest::undo) to_undo.push_back(id);
            if (rest == Rest::forget) to_forget.push_back(id);
        } catch (const Error& error) {
            log::error("container not recovered, its state folder is left as it is",
                       {{"container", id}, {"problem", error.detail()}});
        }
    }
    sandbox->early_starts.clear();
    sandbox->early_exits.clear();
    for (const auto& id : to_forget)
        forget_container(*state, *sandbox, id);
    for (const auto& id : to_undo) {
        log::info("a container that was being created is undone", {{"container", id}});
        co_await undo_container(state, sandbox, id);
    }
}

asio::awaitable<void> end_execs(Recovery& recovery, SandboxPtr sandbox, const ShimStatus& status) {
    const auto state = recovery.state;
    std::set<std::string> alive;
    for (const auto& facts : status.execs) {
        const auto container = state->registry.find_container(facts.container);
        if (!container || !sandbox->has_shim()) continue;
        alive.insert(facts.exec);
        const auto& seen = seen_of(recovery, facts.container).execs;
        if (!seen.contains(facts.exec)) state->publish_exec(*container, facts, "exec.started");
        auto exec = std::make_shared<ExecState>(state->executor);
        exec->facts = facts;
        sandbox->execs.insert_or_assign({facts.container, facts.exec}, std::move(exec));
        const auto link = sandbox->link;
        try {
            core::RequestBody wish = core::KillExec{facts.container, facts.exec};
            (void)co_await link->ask<core::Done>(std::move(wish));
        } catch (const Error& error) {
            log::debug("exec was gone already", {{"problem", error.detail()}});
        }
    }
    for (const auto& [id, seen] : recovery.index.containers) {
        const auto container = state->registry.find_container(id);
        if (!container || container->request.sandbox != sandbox->request.id) continue;
        for (const auto& [name, exec] : seen.execs) {
            if (!exec.started || exec.exited || alive.contains(name)) continue;
            core::ExecFacts facts;
            facts.exec = name;
            state->publish_exec(
                *container, facts, "exec.exited",
                core::ExitRecord{kLostExit, 0, false, unix_microseconds(), "coveyd was restarted"});
            exec_ended(*sandbox, *container);
        }
    }
}

}  // namespace covey::daemon
