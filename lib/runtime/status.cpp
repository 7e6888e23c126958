#include "runtime/status.hpp"

#include "cgroup/oci_group.hpp"
#include "runtime/pod_lock.hpp"
#include "store/start_gate.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <array>

#include <fcntl.h>

namespace covey::runtime {
namespace {

/// A pidfd of exactly the process that the record means.
UniqueFd open_init(const ContainerRecord& record) {
    if (record.pid <= 0) return {};
    auto pidfd = sys::pidfd_open(record.pid);
    if (!pidfd) return {};
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto stat = sys::read_stat(proc, record.pid);
    // Not by its state: a zombie is also a process whose first thread has ended before the others.
    const bool alive = stat && stat.value().start_time == record.start_time &&
                       !sys::wait_ended(pidfd.value(), 0) && !sys::is_ending(proc, record.pid);
    return alive ? std::move(pidfd).value() : UniqueFd{};
}

bool is_frozen(const cgroup::Host& host, const ContainerRecord& record) {
    const auto group = find_group(host, record);
    return group && group->is_frozen();
}

}  // namespace

std::string_view status_name(Status status) noexcept {
    constexpr std::array<std::string_view, 5> kNames{"creating", "created", "running", "paused",
                                                     "stopped"};
    return kNames.at(static_cast<std::size_t>(status));
}

std::optional<cgroup::Group> find_group(const cgroup::Host& host, const ContainerRecord& record) {
    if (record.cgroup.path.empty()) return std::nullopt;
    return cgroup::find_container_group(host, record.cgroup);
}

ContainerView look_at(const ContainerFolder& folder, const cgroup::Host* cgroups) {
    ContainerView view;
    bool of_this_boot = false;
    view.record = folder.read(&of_this_boot);
    if (!of_this_boot) return view;
    if (view.record.pid == 0) {
        // An intent: its `create` works on it still, or was killed.
        if (folder.is_locked_by_other()) view.status = Status::creating;
        return view;
    }
    view.init = open_init(view.record);
    if (!view.init) return view;
    view.status = store::is_waited_at(folder.fd()) ? Status::created : Status::running;
    std::optional<cgroup::Host> own;
    if (cgroups == nullptr && !view.record.cgroup.path.empty())
        cgroups = &own.emplace(cgroup::detect());
    if (cgroups == nullptr) return view;
    make_good_standstill(view.record);
    if (is_frozen(*cgroups, view.record)) view.status = Status::paused;
    return view;
}

}  // namespace covey::runtime
