#include "plan/dump.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sys/stat.h>

namespace covey::plan {
namespace {

using Json = nlohmann::ordered_json;

struct Flag {
    std::uint64_t bit;
    std::string_view name;
};

std::string attributes(std::uint64_t mask) {
    static constexpr std::array<Flag, 6> kFlags{{{MOUNT_ATTR_RDONLY, "rdonly"},
                                                 {MOUNT_ATTR_NOSUID, "nosuid"},
                                                 {MOUNT_ATTR_NODEV, "nodev"},
                                                 {MOUNT_ATTR_NOEXEC, "noexec"},
                                                 {MOUNT_ATTR_NODIRATIME, "nodiratime"},
                                                 {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"}}};
    std::string text;
    const auto add = [&](std::string_view name) { (text += text.empty() ? "" : ",") += name; };
    for (const auto& flag : kFlags)
        if ((mask & flag.bit) != 0) add(flag.name);
    // A field of two bits: the whole of it in a clear mask means "any atime mode".
    switch (mask & MOUNT_ATTR__ATIME) {
        case 0:
            break;
        case MOUNT_ATTR_NOATIME:
            add("noatime");
            break;
        case MOUNT_ATTR_STRICTATIME:
            add("strictatime");
            break;
        default:
            add("atime-mode");
            break;
    }
    return text;
}

std::string propagation_name(std::uint64_t flag, bool recursive) {
    static constexpr std::array<Flag, 4> kFlags{{{MS_SHARED, "shared"},
                                                 {MS_SLAVE, "slave"},
                                                 {MS_PRIVATE, "private"},
                                                 {MS_UNBINDABLE, "unbindable"}}};
    for (const auto& known : kFlags)
        if (flag == known.bit) return fmt::format("{}{}", recursive ? "r" : "", known.name);
    return {};
}

void put_text(Json& json, const char* key, const std::string& text) {
    if (!text.empty()) json[key] = text;
}

void put_flags(Json& json, const MountFlags& flags) {
    put_text(json, "set", attributes(flags.set));
    put_text(json, "clear", attributes(flags.clear));
    put_text(json, "recursiveSet", attributes(flags.recursive_set));
    put_text(json, "recursiveClear", attributes(flags.recursive_clear));
    put_text(json, "propagation", propagation_name(flags.propagation, flags.propagation_recursive));
}

void put_options(Json& json, const std::vector<std::pair<std::string, std::string>>& options) {
    for (const auto& [key, value] : options)
        json["options"].push_back(value.empty() ? key : key + "=" + value);
}

std::string device_type(mode_t mode) {
    if (S_ISCHR(mode)) return "char";
    return S_ISBLK(mode) ? "block" : "fifo";
}

/// "0 100000 65536" as in uid_map: in the container, outside, how many.
void put_mappings(Json& json, const char* key, const std::vector<spec::IdMapping>& list) {
    for (const auto& map : list)
        json[key].push_back(fmt::format("{} {} {}", map.container_id, map.host_id, map.size));
}

struct OperationDetails {
    Json& json;
    void operator()(const MountFilesystem& op) const {
        json["source"] = op.source;
        put_options(json, op.options);
        put_flags(json, op.flags);
        if (op.copy_up) json["copyUp"] = true;
    }
    void operator()(const MountProc& op) const {
        put_options(json, op.options);
        put_flags(json, op.flags);
    }
    void operator()(const MountCgroup& op) const {
        put_flags(json, op.flags);
        if (op.with_v1) json["withV1"] = true;
        if (!op.own_namespace) json["ownNamespace"] = false;
    }
    void operator()(const BindMount& op) const {
        json["recursive"] = op.recursive;
        put_flags(json, op.flags);
        put_mappings(json, "uidMappings", op.uid_mappings);
        put_mappings(json, "gidMappings", op.gid_mappings);
        if (op.idmap_recursive) json["idmapRecursive"] = true;
        if (op.idmap_of_joined) json["idmapOfJoined"] = true;
        if (!op.inner_source.empty()) json["innerSource"] = op.inner_source;
    }
    void operator()(const Remount& op) const {
        json["of"] = op.of;
        put_options(json, op.options);
        put_flags(json, op.flags);
    }
    void operator()(const ShowRoot&) const {}
    void operator()(const MakeDevice& op) const {
        json["type"] = device_type(op.mode);
        json["mode"] = fmt::format("{:04o}", op.mode & 07777);
        json["number"] = fmt::format("{}:{}", op.major, op.minor);
        json["owner"] = fmt::format("{}:{}", op.uid, op.gid);
        if (op.from_host) json["fromHost"] = true;
    }
    void operator()(const MakeSymlink&) const {}
    void operator()(const BindConsole& op) const {
        if (op.on_console && !op.makes_console) json["makesConsole"] = false;
    }
    void operator()(const MaskPath&) const {}
    void operator()(const ReadonlyPath&) const {}
    void operator()(const ReadonlyRoot&) const {}
};

Json operations(const std::vector<Operation>& list, std::size_t first) {
    auto json = Json::array();
    for (std::size_t i = 0; i < list.size(); ++i) {
        Json entry;
        entry["op"] = first + i;
        entry["do"] = describe(list[i]);
        std::visit(OperationDetails{entry}, list[i]);
        json.push_back(std::move(entry));
    }
    return json;
}

std::string_view source_name(NamespacePlan::Source source) {
    switch (source) {
        case NamespacePlan::Source::inherit:
            return "inherit";
        case NamespacePlan::Source::create:
            return "create";
        case NamespacePlan::Source::sandbox:
            return "sandbox";
        case NamespacePlan::Source::path:
            return "path";
    }
    return {};
}

Json namespaces(const std::vector<NamespacePlan>& list) {
    auto json = Json::array();
    for (const auto& entry : list) {
        Json item;
        item["type"] = spec::info(entry.type).oci_name;
        item["source"] = source_name(entry.source);
        put_text(item, "path", entry.path);
        json.push_back(std::move(item));
    }
    return json;
}

template <typename T>
void put_if_set(Json& json, const char* key, const std::optional<T>& value) {
    if (value) json[key] = *value;
}

Json io_limits(const cgroup::IoLimits& from) {
    auto json = Json::object();
    put_if_set(json, "weight", from.weight);
    put_if_set(json, "leafWeight", from.leaf_weight);
    for (const auto& device : from.devices) {
        Json item{{"device", fmt::format("{}:{}", device.major, device.minor)}};
        put_if_set(item, "weight", device.weight);
        put_if_set(item, "leafWeight", device.leaf_weight);
        json["devices"].push_back(std::move(item));
    }
    const auto rates = [&](const char* key, const std::vector<cgroup::DeviceRate>& list) {
        for (const auto& [major, minor, rate] : list)
            json[key].push_back(fmt::format("{}:{} {}", major, minor, rate));
    };
    rates("readBps", from.read_bps);
    rates("writeBps", from.write_bps);
    rates("readIops", from.read_iops);
    rates("writeIops", from.write_iops);
    return json;
}

Json limits(const cgroup::Limits& from) {
    auto json = Json::object();
    put_if_set(json, "pidsMax", from.pids_max);
    put_if_set(json, "memoryMax", from.memory_max);
    put_if_set(json, "memoryReservation", from.memory_reservation);
    put_if_set(json, "memorySwap", from.memory_swap);
    put_if_set(json, "memoryKernelTCP", from.memory_kernel_tcp);
    put_if_set(json, "memorySwappiness", from.memory_swappiness);
    put_if_set(json, "oomKillerOff", from.oom_killer_off);
    put_if_set(json, "cpuShares", from.cpu_shares);
    put_if_set(json, "cpuQuota", from.cpu_quota);
    put_if_set(json, "cpuPeriod", from.cpu_period);
    put_if_set(json, "cpuBurst", from.cpu_burst);
    put_if_set(json, "cpuIdle", from.cpu_idle);
    put_if_set(json, "realtimePeriod", from.realtime_period);
    put_if_set(json, "realtimeRuntime", from.realtime_runtime);
    put_if_set(json, "cpusetCpus", from.cpuset_cpus);
    put_if_set(json, "cpusetMems", from.cpuset_mems);
    if (!from.io.empty()) json["io"] = io_limits(from.io);
    for (const auto& [size, bytes] : from.hugepages)
        json["hugepages"][size] = bytes;
    for (const auto& [device, limit] : from.rdma) {
        put_if_set(json["rdma"][device], "handles", limit.handles);
        put_if_set(json["rdma"][device], "objects", limit.objects);
    }
    put_if_set(json, "networkClass", from.network_class);
    for (const auto& [interface, priority] : from.network_priorities)
        json["networkPriorities"][interface] = priority;
    if (!from.unified.empty()) json["unified"] = from.unified;
    return json;
}

/// As the v1 files have it: "allow c 1:3 rwm", "deny a *:* rwm".
Json device_rules(const std::vector<cgroup::DeviceRule>& rules) {
    const auto number = [](const std::optional<std::int64_t>& n) {
        return n && *n >= 0 ? std::to_string(*n) : std::string("*");
    };
    auto json = Json::array();
    for (const auto& rule : rules)
        json.push_back(fmt::format("{} {} {}:{} {}", rule.allow ? "allow" : "deny", rule.type,
                                   number(rule.major), number(rule.minor), rule.access));
    return json;
}

Json seccomp(const SeccompFilter& filter) {
    static constexpr std::array<Flag, 3> kFlags{
        {{SECCOMP_FILTER_FLAG_LOG, "LOG"},
         {SECCOMP_FILTER_FLAG_SPEC_ALLOW, "SPEC_ALLOW"},
         {SECCOMP_FILTER_FLAG_NEW_LISTENER, "NEW_LISTENER"}}};
    Json json;
    json["instructions"] = filter.filter.size();
    put_text(json, "listenerPath", filter.listener_path);
    put_text(json, "listenerMetadata", filter.listener_metadata);
    for (const auto& flag : kFlags)
        if ((filter.flags & flag.bit) != 0) json["flags"].push_back(flag.name);
    return json;
}

Json limit_value(std::uint64_t value) {
    if (value == std::numeric_limits<std::uint64_t>::max()) return "unlimited";
    return value;
}

Json process(const ProcessPlan& from) {
    Json json;
    json["args"] = from.args;
    json["env"] = from.env;
    json["cwd"] = from.cwd;
    json["terminal"] = from.terminal;
    if (from.console_rows != 0 || from.console_columns != 0)
        json["consoleSize"] = fmt::format("{}x{}", from.console_columns, from.console_rows);
    json["user"] = fmt::format("{}:{}", from.uid, from.gid);
    json["groups"] = from.groups;
    json["umask"] = fmt::format("{:04o}", from.umask);
    const auto& sets = from.capabilities;
    auto& capabilities = json["capabilities"];
    capabilities["bounding"] = spec::capability_names_of(sets.bounding);
    capabilities["permitted"] = spec::capability_names_of(sets.permitted);
    capabilities["effective"] = spec::capability_names_of(sets.effective);
    capabilities["inheritable"] = spec::capability_names_of(sets.inheritable);
    capabilities["ambient"] = spec::capability_names_of(sets.ambient);
    json["noNewPrivileges"] = from.no_new_privileges;
    for (const auto& limit : from.rlimits)
        json["rlimits"][std::string(spec::rlimit_name(limit.resource))] =
            Json::array({limit_value(limit.soft), limit_value(limit.hard)});
    put_if_set(json, "oomScoreAdj", from.oom_score_adj);
    if (from.scheduler)
        json["scheduler"] = fmt::format(
            "policy {} flags {} nice {} priority {} times {}/{}/{}", from.scheduler->policy,
            from.scheduler->flags, from.scheduler->nice, from.scheduler->priority,
            from.scheduler->runtime, from.scheduler->deadline, from.scheduler->period);
    put_if_set(json, "ioPriority", from.io_priority);
    if (from.memory_policy) json["memoryPolicy"] = from.memory_policy->text;
    put_if_set(json, "personality", from.personality);
    put_text(json, "apparmorProfile", from.apparmor_profile);
    put_text(json, "selinuxLabel", from.selinux_label);
    if (from.seccomp) json["seccomp"] = seccomp(*from.seccomp);
    return json;
}

Json root(const RootPlan& from) {
    Json json;
    json["hostPath"] = from.host_path;
    put_text(json, "propagation", propagation_name(from.propagation, from.propagation_recursive));
    return json;
}

}  // namespace

std::string dump(const LaunchPlan& plan) {
    Json json;
    json["pidMode"] = spec::pid_mode_name(plan.pid_mode);
    json["namespaces"] = namespaces(plan.namespaces);
    json["mustMatchSandbox"] = namespaces(plan.must_match_sandbox);
    put_mappings(json, "uidMappings", plan.uid_mappings);
    put_mappings(json, "gidMappings", plan.gid_mappings);
    for (const auto& offset : plan.time_offsets)
        json["timeOffsets"][offset.clock] =
            fmt::format("{}.{:09}", offset.seconds, offset.nanoseconds);
    put_text(json, "mountLabel", plan.mount_label);
    json["root"] = root(plan.root);
    json["operations"] = operations(plan.operations, 0);
    json["protections"] = operations(plan.protections, plan.operations.size());
    put_if_set(json, "hostname", plan.hostname);
    put_if_set(json, "domainname", plan.domainname);
    json["sysctls"] = Json::object();
    for (const auto& [key, value] : plan.sysctls)
        json["sysctls"][key] = value;
    json["limits"] = limits(plan.limits);
    json["deviceRules"] = device_rules(plan.device_rules);
    json["process"] = process(plan.process);
    json["warnings"] = plan.warnings;
    // Bytes that are no UTF-8 (an environment may have them) are shown, not thrown at the reader.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace covey::plan
