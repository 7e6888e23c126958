#include "runtime/ending.hpp"

#include "cgroup/oci_group.hpp"
#include "core/container_look.hpp"
#include "covey/error.hpp"
#include "runtime/failure.hpp"
#include "runtime/group_parents.hpp"
#include "runtime/late_hooks.hpp"
#include "runtime/others.hpp"
#include "runtime/registry.hpp"
#include "runtime/resctrl.hpp"
#include "runtime/spawner.hpp"
#include "runtime/systemd.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "task/children.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>

namespace covey::runtime {
namespace {

constexpr std::chrono::seconds kEndLimit{4};
constexpr int kReapedIn = 500, kLookAgain = 20;  // milliseconds
constexpr std::chrono::seconds kKillLimit{2};    // for the proof that nobody is left

Error not_running(const std::string& id) {
    return Error(Code::failed_precondition, fmt::format("container not running: {}", id));
}

void end_init(const ContainerView& view) {
    if (!view.init) return;
    (void)sys::pidfd_send_signal(view.init, SIGKILL);
    if (sys::wait_ended(view.init, kReapedIn)) return;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto deadline = std::chrono::steady_clock::now() + kEndLimit;
    // One that is ending and is not reaped waits for a process of its PID namespace that a tracer
    // outside keeps. Nobody is in its group: there is nothing of it that could be waited for.
    while (!sys::is_ending(proc, view.record.pid) && !sys::wait_ended(view.init, kLookAgain))
        if (std::chrono::steady_clock::now() > deadline)
            throw Error(Code::timeout,
                        fmt::format("init of container {} does not end", view.record.id))
                .with_fix("look at its state in /proc: it waits in the kernel (state D)");
}

}  // namespace

void end_group(cgroup::Group& group) {
    group.end(kEndLimit);
    group.remove();
}

void reap_children() noexcept {
    task::reap_all_children(kEndLimit);
}

void signal_init(const ContainerView& view, int signal) {
    if (!view.init) throw not_running(view.record.id);
    const auto sent = sys::pidfd_send_signal(view.init, signal);
    if (!sent && sent.error() == ESRCH) throw not_running(view.record.id);
    sent.or_throw("signal init of", view.record.id);
}

void signal_all(const ContainerStore& store, const ContainerView& view, int signal) {
    if (view.record.cgroup.path.empty()) {
        if (!view.init) return;
        const auto sent = sys::pidfd_send_signal(view.init, signal);
        // One that ended meanwhile is nobody left, which is success.
        if (!sent && sent.error() != ESRCH) sent.or_throw("signal init of", view.record.id);
        return;
    }
    const auto host = cgroup::detect();
    auto group = core::find_group(host, view.record);
    if (!group) return;
    const auto& id = view.record.id;
    if (signal == SIGKILL) {
        kill_init(host, view);
        cgroup::end_sparing(
            host, *group, [&] { return others_than(store, id); }, kKillLimit);
    } else {
        cgroup::signal_sparing(host, *group, signal, others_than(store, id));
    }
}

void destroy_container(const ContainerStore& store, const ContainerFolder& folder,
                       const ContainerView& view) {
    std::optional<spec::Hooks> hooks;
    if (view.record.has_poststop && view.record.pid != 0) hooks = read_hooks(folder);
    if (!view.record.cgroup.path.empty()) {
        const auto host = cgroup::detect();
        kill_init(host, view);
        if (auto group = core::find_group(host, view.record))
            cgroup::remove_sparing(
                host, *group, [&] { return others_than(store, view.record.id); }, kEndLimit);
        else if (!view.record.systemd_unit.empty())
            cgroup::remove_remains(host, view.record.cgroup);
    }
    end_init(view);
    end_spawner(view.record);
    remove_parents(view.record.made_parents);
    stop_scope(view.record);
    remove_class(view.record.resctrl);
    remove_from_registry(store.root(), view.record.id);
    store.remove(view.record.id);
    if (hooks) run_poststop_hooks(*hooks, view.record);
}

void destroy_remains(const ContainerStore& store, const ContainerFolder& folder) {
    remove_from_registry(store.root(), folder.id());
    store.remove(folder.id());
    report_warning(fmt::format(
        "container {}: its record could not be read, so its processes and its cgroup are not "
        "known and were left as they are: look for a cgroup of that name and end what is in it",
        folder.id()));
}

}  // namespace covey::runtime
