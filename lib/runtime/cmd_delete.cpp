// covey-runtime delete: what is left of a container that has ended; with --force whatever it does.
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/container_store.hpp"
#include "runtime/ending.hpp"
#include "runtime/status.hpp"

#include <fmt/format.h>

#include <csignal>

namespace covey::runtime {
namespace {

constexpr int kDeleteLockSeconds = 4;

/// A record that cannot be read is never guessed at: without --force that is an error.
bool has_readable_record(const ContainerFolder& folder, bool force) {
    try {
        (void)folder.read();
        return true;
    } catch (const Error&) {
        if (!force) throw;
        return false;
    }
}

void delete_container(const ContainerStore& store, const std::string& id, bool force) {
    auto folder = store.open_container(id);
    // A start that hangs holds the lock: what it waits for must end first.
    if (force && has_readable_record(folder, force)) signal_all(store, look_at(folder), SIGKILL);
    folder.lock(kDeleteLockSeconds);
    if (!has_readable_record(folder, force)) return destroy_remains(store, folder);
    const auto view = look_at(folder);
    const bool ends_by_itself =
        view.state == core::ContainerState::stopped || view.state == core::ContainerState::created;
    if (!force && !ends_by_itself)
        throw Error(Code::failed_precondition,
                    fmt::format("cannot delete container {} that is not stopped: {}", id,
                                core::state_name(view.state)))
            .with_fix("kill it first, or delete --force");
    destroy_container(store, folder, view);
}

int remove(Invocation& call) {
    bool force = false;
    Flags flags;
    flags.boolean("force", 'f', force, "kill it first; an unknown id is no error");
    const auto words = call.parse(flags, 1, 1);
    if (!words) return 0;
    const auto store = ContainerStore::open_existing(call.globals.root);
    try {
        delete_container(store, words->front(), force);
    } catch (const Error& error) {
        if (!force || error.code() != Code::not_found || store.has(words->front())) throw;
    }
    return 0;
}

}  // namespace

const Command kDelete{"delete", "ID", "remove a container", remove};

}  // namespace covey::runtime
