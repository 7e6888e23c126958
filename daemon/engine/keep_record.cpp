// Records of what has happened already: memory knows it first, the disk as soon as it can.
#include "base/log.hpp"
#include "engine/state.hpp"
#include "sys/file.hpp"

#include <utility>

namespace covey::daemon {
namespace {

/// Why it could not be written; nothing when it was, or when there is no folder for it any more.
std::optional<Error> write(const EngineState& state, const SandboxEntry& sandbox,
                           const SandboxRecord& record) {
    if (!sandbox.folder.valid()) return {};
    try {
        write_sandbox_record(sandbox.folder, record, state.boot_id);
    } catch (const Error& error) {
        return error;
    }
    return {};
}

std::optional<Error> write(const EngineState& state, const SandboxEntry& sandbox,
                           const std::string& id, const ContainerRecord& record) {
    if (!sandbox.folder.valid()) return {};
    try {
        const auto folder = sys::open_dir_at(sandbox.folder, container_folder(id));
        if (!folder && folder.error() == ENOENT) return {};
        if (!folder) return Error::from_errno(folder.error(), "open the folder of container", id);
        write_container_record(folder.value(), record, state.boot_id);
    } catch (const Error& error) {
        return error;
    }
    return {};
}

bool write_all_unwritten(EngineState& state) {
    bool all = true;
    for (const auto& [id, sandbox] : state.registry.sandboxes) {
        if (!sandbox->unwritten) continue;
        if (write(state, *sandbox, *sandbox->unwritten))
            all = false;
        else
            sandbox->unwritten.reset();
    }
    for (const auto& [id, container] : state.registry.containers) {
        const auto sandbox = state.registry.find_sandbox(container->request.sandbox);
        if (!container->unwritten || !sandbox) continue;
        if (write(state, *sandbox, id, *container->unwritten))
            all = false;
        else
            container->unwritten.reset();
    }
    return all;
}

/// Once for all records: what keeps one from being written keeps the others too, mostly.
void try_later(EngineState& state, const Error& problem) {
    if (std::exchange(state.rewrites_records, true)) return;
    log::error("a record cannot be written: the API knows better than the disk until it can",
               {{"problem", problem.detail()}, {"fix", problem.fix()}});
    retry(state.executor, state.weak_from_this(), [&state] {
        if (state.closed) return true;
        if (!write_all_unwritten(state)) return false;
        state.rewrites_records = false;
        log::info("all records are written again");
        return true;
    });
}

}  // namespace

void keep_record(EngineState& state, SandboxEntry& sandbox, SandboxRecord record) {
    const auto problem = write(state, sandbox, record);
    sandbox.unwritten.reset();
    if (!problem) return;
    sandbox.unwritten = std::move(record);
    try_later(state, *problem);
}

void keep_record(EngineState& state, const SandboxEntry& sandbox, ContainerEntry& container,
                 ContainerRecord record) {
    const auto problem = write(state, sandbox, container.request.id, record);
    container.unwritten.reset();
    if (!problem) return;
    container.unwritten = std::move(record);
    try_later(state, *problem);
}

}  // namespace covey::daemon
