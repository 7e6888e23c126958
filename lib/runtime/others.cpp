#include "runtime/others.hpp"

#include "core/container_look.hpp"
#include "covey/error.hpp"
#include "runtime/failure.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <csignal>
#include <utility>

namespace covey::runtime {

cgroup::Others others_than(const ContainerStore& store, const std::string& id) {
    cgroup::Others others;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    for (const auto& name : store.ids()) {
        if (name == id) continue;
        try {
            bool of_this_boot = false;
            const auto record = store.open_container(name).read(&of_this_boot);
            auto init = of_this_boot ? core::open_init(record, proc) : UniqueFd{};
            if (!init) continue;
            others.residents.push_back({record.pid, init, record.cgroup, ""});
            others.processes.push_back(std::move(init));
        } catch (const Error&) {
            // Deleted meanwhile, or damaged: then nobody knows its processes.
        }
    }
    return others;
}

void kill_init(const cgroup::Host& host, const ContainerView& view) {
    if (!view.init) return;
    (void)sys::pidfd_send_signal(view.init, SIGKILL);
    try {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        cgroup::bring_home(host, proc, {view.record.pid, view.init, view.record.cgroup, ""});
    } catch (const Error& error) {
        // Who waits for its end tells that it does not come.
        report_warning("init was moved out of its container's cgroup: " + error.detail());
    }
}

}  // namespace covey::runtime
