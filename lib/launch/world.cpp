#include "launch/world.hpp"

#include "launch/home.hpp"
#include "launch/labels.hpp"
#include "launch/message.hpp"
#include "launch/program.hpp"

#include <unistd.h>

namespace covey::launch {
namespace {

void run_creation_hooks(const World& world) {
    const auto& hooks = *world.hooks;
    // Also when the parent has none to run: if one of ours fails, it owes the poststop hooks.
    if (!hooks.prestart.empty() || !hooks.create_runtime.empty() || !hooks.create_container.empty())
        ask_for_hooks(world.channel);
    if (!hooks.create_container.empty())
        run_hooks(hooks.create_container, "createContainer",
                  (*world.hook_state)(::getpid(), "creating"));
}

}  // namespace

std::string make_world(const World& world) {
    auto& root = *world.root;
    auto& process = *world.process;
    root.build();
    run_creation_hooks(world);
    complete_home(process, root.root());
    std::string program;
    if (world.finds_program)
        program = find_program(root.root(), process.args, process.env, process.cwd);
    set_labels(process);
    root.protect();
    root.pivot();
    if (!root.defers_proc()) root.close();
    return program;
}

}  // namespace covey::launch
