// covey-runtime run: create and start in one; in the foreground it stays until the container's init
// has ended, with its exit status, and deletes the container.
#include "runtime/creating.hpp"
#include "runtime/ending.hpp"
#include "runtime/foreground.hpp"
#include "runtime/notify.hpp"
#include "runtime/starting.hpp"

#include <optional>
#include <utility>

namespace covey::runtime {
namespace {

struct RunOptions {
    CreateOptions create;
    bool detach = false, keep = false, no_subreaper = false;
};

void destroy(const Globals& globals, CreatedContainer& container) {
    reap_children();
    const auto store = ContainerStore::open_existing(globals.root);
    ContainerView view;
    view.record = container.record;
    destroy_container(store, container.folder, view);
}

int run_container(const Globals& globals, const RunOptions& options, const std::string& id) {
    const Signals signals;
    auto container = create_container(globals, options.create, id);
    sys::ExitStatus status;
    try {
        std::optional<NotifySocket> notify;
        if (NotifySocket::is_wanted()) notify.emplace(container.folder.fd(), container.record.pid);
        start_container(container.folder, container.record);
        run_due_poststart_hooks(container.folder, container.record);
        container.folder.unlock();  // state, exec and kill are for others while it runs
        if (options.detach) {
            if (notify) notify->wait(container.init);
            return 0;
        }
        status = run_in_foreground(signals, container.init, container.terminal,
                                   notify ? &*notify : nullptr);
    } catch (...) {
        (void)sys::pidfd_send_signal(container.init, SIGKILL);
        destroy(globals, container);
        throw;
    }
    if (options.keep) return status.code;
    container.folder.lock(10);
    destroy(globals, container);
    return status.code;
}

int run(Invocation& call) {
    RunOptions options;
    Flags flags;
    add_create_flags(flags, options.create);
    flags.boolean("detach", 'd', options.detach, "return as soon as the program runs")
        .boolean("keep", 0, options.keep, "do not delete the container when it has ended")
        .boolean("no-subreaper", 0, options.no_subreaper,
                 "accepted: nothing of the container is left to be reaped");
    const auto words = call.parse(flags, 1, 1);
    if (!words) return 0;
    options.create.detached = options.detach;
    options.create.fds = take_inherited_fds(options.create.preserve_fds);
    return run_container(call.globals, options, words->front());
}

}  // namespace

const Command kRun{"run", "ID", "create and start a container", run, true};

}  // namespace covey::runtime
