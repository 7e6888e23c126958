// covey-runtime state: what a container is right now, as the specification's JSON.
#include "runtime/commands.hpp"
#include "runtime/container_store.hpp"
#include "runtime/owner.hpp"
#include "runtime/state_codec.hpp"
#include "runtime/status.hpp"

#include <cstdio>

namespace covey::runtime {
namespace {

int state(Invocation& call) {
    Flags flags;
    const auto words = call.parse(flags, 1, 1);
    if (!words) return 0;
    const auto store = ContainerStore::open_existing(call.globals.root);
    const auto view = look_at(store.open_container(words->front()));
    const ShownState shown{&view.record, core::state_name(view.state),
                           view.init ? view.record.pid : 0, owner_name(view.record.owner)};
    std::puts(encode_state(shown).c_str());
    return 0;
}

}  // namespace

const Command kState{"state", "ID", "print a container's state", state};

}  // namespace covey::runtime
