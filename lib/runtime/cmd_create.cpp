// covey-runtime create: init waits at its gate when this returns.
#include "runtime/creating.hpp"

namespace covey::runtime {
namespace {

int create(Invocation& call) {
    CreateOptions options;
    bool detach = true;
    Flags flags;
    add_create_flags(flags, options);
    flags.boolean("detach", 'd', detach, "accepted: create always detaches");
    const auto words = call.parse(flags, 1, 1);
    if (!words) return 0;
    options.fds = take_inherited_fds(options.preserve_fds);
    (void)create_container(call.globals, options, words->front());
    return 0;
}

}  // namespace

const Command kCreate{"create", "ID", "make a container that waits to be started", create, true};

}  // namespace covey::runtime
