// The `linux` object of config.json (config-linux.md), as types. See spec/types.hpp.
#pragma once

#include "spec/id_mappings.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::spec {

enum class NamespaceType { pid, network, mount, ipc, uts, user, cgroup, time };

struct Namespace {
    NamespaceType type = NamespaceType::pid;
    std::string path;  // empty: a new one
};

struct TimeOffset {
    std::int64_t secs = 0;
    std::uint32_t nanosecs = 0;
};

struct Device {
    char type = 'c';  // c, u (as c), b, p
    std::string path;
    std::int64_t major = 0, minor = 0;
    std::optional<std::uint32_t> file_mode;
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
};

struct DeviceCgroup {
    bool allow = false;
    char type = 'a';  // a, c, b
    std::optional<std::int64_t> major, minor;
    std::string access = "rwm";
};

struct MemoryLimits {
    std::optional<std::int64_t> limit, reservation, swap, kernel, kernel_tcp;  // bytes, -1: none
    std::optional<std::uint64_t> swappiness;
    std::optional<bool> disable_oom_killer, use_hierarchy, check_before_update;
};

struct CpuLimits {
    std::optional<std::uint64_t> shares, period, realtime_period;  // periods in microseconds
    std::optional<std::int64_t> quota, realtime_runtime, idle;
    std::optional<std::uint64_t> burst;
    std::string cpus, mems;
};

struct WeightDevice {
    std::int64_t major = 0, minor = 0;
    std::optional<std::uint16_t> weight, leaf_weight;
};
struct ThrottleDevice {
    std::int64_t major = 0, minor = 0;
    std::uint64_t rate = 0;
};
struct BlockIoLimits {
    std::optional<std::uint16_t> weight, leaf_weight;
    std::vector<WeightDevice> weight_device;
    std::vector<ThrottleDevice> throttle_read_bps, throttle_write_bps, throttle_read_iops,
        throttle_write_iops;
};
struct HugepageLimit {
    std::string page_size;
    std::uint64_t limit = 0;  // bytes
};
struct InterfacePriority {
    std::string name;
    std::uint32_t priority = 0;
};
struct NetworkLimits {
    std::optional<std::uint32_t> class_id;
    std::vector<InterfacePriority> priorities;
};
struct RdmaLimit {
    std::optional<std::uint32_t> hca_handles, hca_objects;
};

struct Resources {
    std::vector<DeviceCgroup> devices;
    std::optional<MemoryLimits> memory;
    std::optional<CpuLimits> cpu;
    std::optional<std::int64_t> pids_limit;
    std::optional<BlockIoLimits> block_io;
    std::vector<HugepageLimit> hugepage_limits;
    std::optional<NetworkLimits> network;
    std::map<std::string, RdmaLimit> rdma;
    std::map<std::string, std::string> unified;
};

struct SeccompArg {
    std::uint32_t index = 0;
    std::uint64_t value = 0, value_two = 0;
    std::string op;  // SCMP_CMP_*
};
struct SeccompSyscall {
    std::vector<std::string> names;
    std::string action;  // SCMP_ACT_*
    std::optional<std::uint32_t> errno_ret;
    std::vector<SeccompArg> args;
};
struct Seccomp {
    std::string default_action;
    std::optional<std::uint32_t> default_errno_ret;
    std::vector<std::string> architectures;  // SCMP_ARCH_*
    std::vector<std::string> flags;          // SECCOMP_FILTER_FLAG_*
    std::string listener_path, listener_metadata;
    std::vector<SeccompSyscall> syscalls;
};

struct Personality {
    std::string domain;
    std::vector<std::string> flags;
};

struct IntelRdt {
    std::string clos_id, l3_cache_schema, mem_bw_schema;
    std::vector<std::string> schemata;  // one line each
    bool enable_cmt = false, enable_mbm = false, enable_monitoring = false;
};

/// A device of the runtime's network namespace that the container gets.
struct NetDevice {
    std::string name;  // in the container
};

struct MemoryPolicy {
    std::string mode;                // MPOL_*
    std::string nodes;               // as in cpuset(7)
    std::vector<std::string> flags;  // MPOL_F_*
};

enum class Propagation {
    unset,
    shared,
    rshared,
    slave,
    rslave,
    private_,
    rprivate,
    unbindable,
    runbindable
};

struct Linux {
    std::vector<Namespace> namespaces;
    std::vector<IdMapping> uid_mappings, gid_mappings;
    std::map<std::string, TimeOffset> time_offsets;
    std::vector<Device> devices;
    std::string cgroups_path;
    std::optional<Resources> resources;
    Propagation rootfs_propagation = Propagation::unset;
    std::optional<Seccomp> seccomp;
    std::map<std::string, std::string> sysctl;
    std::vector<std::string> masked_paths, readonly_paths;
    std::string mount_label;
    std::optional<Personality> personality;
    std::optional<IntelRdt> intel_rdt;
    std::map<std::string, NetDevice> net_devices;  // by the name that it has outside
    std::optional<MemoryPolicy> memory_policy;
};

}  // namespace covey::spec
