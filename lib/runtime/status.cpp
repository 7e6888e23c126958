#include "runtime/status.hpp"

#include "core/container_look.hpp"
#include "runtime/pod_lock.hpp"
#include "sys/proc.hpp"

namespace covey::runtime {

ContainerView look_at(const ContainerFolder& folder, const cgroup::Host* cgroups) {
    ContainerView view;
    bool of_this_boot = false;
    view.record = folder.read(&of_this_boot);
    if (!of_this_boot) return view;
    if (view.record.pid == 0) {
        // An intent: its `create` works on it still, or was killed.
        if (folder.is_locked_by_other()) view.state = core::ContainerState::creating;
        return view;
    }
    view.init = core::open_init(view.record, sys::open_proc().or_throw("open", "/proc"));
    if (!view.init) return view;
    std::optional<cgroup::Host> own;
    if (cgroups == nullptr && !view.record.cgroup.path.empty())
        cgroups = &own.emplace(cgroup::detect());
    std::optional<cgroup::Group> group;
    if (cgroups != nullptr) {
        make_good_standstill(view.record);
        group = core::find_group(*cgroups, view.record);
    }
    view.state = core::state_of_living(folder.fd(), group);
    return view;
}

}  // namespace covey::runtime
