// What Limits asks for, controller by controller.
#include "cgroup/settings.hpp"

#include <algorithm>

namespace covey::cgroup {
namespace {

std::string memory_field(const Limits& limits) {
    if (limits.memory_max) return "memory.limit";
    if (limits.memory_swap) return "memory.swap";
    if (limits.memory_reservation) return "memory.reservation";
    // "No limit" is so without the controller.
    if (limits.memory_kernel_tcp.value_or(-1) >= 0) return "memory.kernelTCP";
    if (limits.memory_swappiness) return "memory.swappiness";
    return limits.oom_killer_off ? "memory.disableOOMKiller" : "";
}

std::string cpu_field(const Limits& limits) {
    if (limits.cpu_shares) return "cpu.shares";
    if (limits.cpu_quota) return "cpu.quota";
    if (limits.cpu_period) return "cpu.period";
    if (limits.cpu_burst) return "cpu.burst";
    if (limits.cpu_idle) return "cpu.idle";
    if (limits.realtime_period) return "cpu.realtimePeriod";
    return limits.realtime_runtime ? "cpu.realtimeRuntime" : "";
}

std::string io_field(const IoLimits& io) {
    if (io.weight) return "blockIO.weight";
    if (io.leaf_weight) return "blockIO.leafWeight";
    if (!io.devices.empty()) return "blockIO.weightDevice";
    return io.empty() ? "" : "blockIO.throttle";
}

}  // namespace

std::string_view controller_name(Controller controller, Version version) noexcept {
    switch (controller) {
        case Controller::pids:
            return "pids";
        case Controller::memory:
            return "memory";
        case Controller::cpu:
            return "cpu";
        case Controller::cpuset:
            return "cpuset";
        case Controller::io:
            return version == Version::v1 ? "blkio" : "io";
        case Controller::hugetlb:
            return "hugetlb";
        case Controller::rdma:
            return "rdma";
        case Controller::net_cls:
            return "net_cls";
        case Controller::net_prio:
            return "net_prio";
    }
    return "";
}

std::string field_for(Controller controller, const Limits& limits) {
    switch (controller) {
        case Controller::pids:
            return limits.pids_max ? "pids.limit" : "";
        case Controller::memory:
            return memory_field(limits);
        case Controller::cpu:
            return cpu_field(limits);
        case Controller::cpuset:
            if (limits.cpuset_cpus) return "cpu.cpus";
            return limits.cpuset_mems ? "cpu.mems" : "";
        case Controller::io:
            return io_field(limits.io);
        case Controller::hugetlb:
            return limits.hugepages.empty()
                       ? ""
                       : "hugepageLimits[" + limits.hugepages.begin()->first + "]";
        case Controller::rdma:
            return limits.rdma.empty() ? "" : "rdma[" + limits.rdma.begin()->first + "]";
        case Controller::net_cls:
            return limits.network_class ? "network.classID" : "";
        case Controller::net_prio:
            return limits.network_priorities.empty() ? "" : "network.priorities";
    }
    return "";
}

bool Limits::empty() const {
    return unified.empty() &&
           std::all_of(std::begin(kControllers), std::end(kControllers),
                       [&](Controller one) { return field_for(one, *this).empty(); });
}

}  // namespace covey::cgroup
