#include "core/container_look.hpp"

#include "cgroup/oci_group.hpp"
#include "store/start_gate.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

namespace covey::core {

UniqueFd open_init(const ContainerRecord& record, FdRef proc) {
    if (record.pid <= 0) return {};
    auto pidfd = sys::pidfd_open(record.pid);
    if (!pidfd) return {};
    const auto stat = sys::read_stat(proc, record.pid);
    // Not by its state: a zombie is also a process whose first thread has ended before the others.
    const bool alive = stat && stat.value().start_time == record.start_time &&
                       !sys::wait_ended(pidfd.value(), 0) && !sys::is_ending(proc, record.pid);
    return alive ? std::move(pidfd).value() : UniqueFd{};
}

ContainerState state_of_living(FdRef folder, const std::optional<cgroup::Group>& group) {
    if (group && group->is_frozen()) return ContainerState::paused;
    return store::is_waited_at(folder) ? ContainerState::created : ContainerState::running;
}

std::optional<cgroup::Group> find_group(const cgroup::Host& host, const ContainerRecord& record) {
    if (record.cgroup.path.empty()) return std::nullopt;
    return cgroup::find_container_group(host, record.cgroup);
}

}  // namespace covey::core
