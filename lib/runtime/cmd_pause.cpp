// covey-runtime pause and resume: every process of the container stands still, and goes on.
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/group_of.hpp"
#include "runtime/pod_lock.hpp"

#include <fmt/format.h>

namespace covey::runtime {
namespace {

int pause(Invocation& call) {
    Flags flags;
    const auto words = call.parse(flags, 1, 1);
    if (!words) return 0;
    GroupedContainer container{call.globals.root, words->front(), "be paused"};
    container.folder.lock(1);
    const auto pod = PodLock::shared(container.view.record);
    if (container.view.state != core::ContainerState::running &&
        container.view.state != core::ContainerState::created)
        throw Error(Code::failed_precondition, fmt::format("container not running or created: {}",
                                                           core::state_name(container.view.state)));
    container.group.freeze();
    return 0;
}

int resume(Invocation& call) {
    Flags flags;
    const auto words = call.parse(flags, 1, 1);
    if (!words) return 0;
    GroupedContainer container{call.globals.root, words->front(), "be resumed"};
    container.folder.lock(1);
    const auto pod = PodLock::shared(container.view.record);
    if (container.view.state != core::ContainerState::paused)
        throw Error(Code::failed_precondition, "container not paused");
    container.group.thaw();
    return 0;
}

}  // namespace

const Command kPause{"pause", "ID", "stop all processes of a container", pause};
const Command kResume{"resume", "ID", "let the processes of a paused container go on", resume};

}  // namespace covey::runtime
