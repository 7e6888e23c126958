// covey-runtime start: opens a created container's gate.
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/container_store.hpp"
#include "runtime/ending.hpp"
#include "runtime/notify.hpp"
#include "runtime/starting.hpp"
#include "runtime/status.hpp"

#include <fmt/format.h>

#include <optional>

namespace covey::runtime {
namespace {

constexpr int kStartLockSeconds = 10;

[[noreturn]] void refuse_start(const ContainerView& view) {
    switch (view.state) {
        case core::ContainerState::stopped:
            throw Error(
                Code::failed_precondition,
                fmt::format("cannot start a container that has stopped: {}", view.record.id))
                .with_fix("delete it and create it anew");
        case core::ContainerState::running:
            throw Error(
                Code::failed_precondition,
                fmt::format("cannot start an already running container: {}", view.record.id));
        case core::ContainerState::creating:
        case core::ContainerState::created:
        case core::ContainerState::paused:
        case core::ContainerState::unknown:
            break;
    }
    throw Error(Code::failed_precondition,
                fmt::format("cannot start a container in the {} state: {}",
                            core::state_name(view.state), view.record.id));
}

int start(Invocation& call) {
    Flags flags;
    const auto words = call.parse(flags, 1, 1);
    if (!words) return 0;
    const auto store = ContainerStore::open_existing(call.globals.root);
    auto folder = store.open_container(words->front());
    folder.lock(kStartLockSeconds);
    const auto view = look_at(folder);
    if (view.state != core::ContainerState::created) refuse_start(view);
    std::optional<NotifySocket> notify;
    if (NotifySocket::is_wanted() && NotifySocket::has_folder(folder.fd()))
        notify.emplace(folder.fd(), view.record.pid);
    start_container(folder, view.record);
    try {
        run_due_poststart_hooks(folder, view.record);
    } catch (const Error&) {
        // runtime.md, lifecycle 9: an error, and the container's end.
        destroy_container(store, folder, look_at(folder));
        throw;
    }
    folder.unlock();
    if (notify) notify->wait(view.init);
    return 0;
}

}  // namespace

const Command kStart{"start", "ID", "run the program of a created container", start};

}  // namespace covey::runtime
