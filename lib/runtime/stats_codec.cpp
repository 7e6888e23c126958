#include "runtime/stats_codec.hpp"

#include "base/json.hpp"

namespace covey::runtime {
namespace {

using Json = nlohmann::ordered_json;

/// What runc leaves out when it is 0 or empty is left out here.
template <typename T>
void put_if_any(Json& json, const char* key, const T& value) {
    if (value != T{}) json[key] = value;
}

Json cpu(const cgroup::CpuUsage& from) {
    auto usage = Json::object();
    put_if_any(usage, "total", from.total);
    put_if_any(usage, "percpu", from.per_cpu);
    put_if_any(usage, "percpu_kernel", from.per_cpu_kernel);
    put_if_any(usage, "percpu_user", from.per_cpu_user);
    usage["kernel"] = from.kernel;
    usage["user"] = from.user;
    auto throttling = Json::object();
    put_if_any(throttling, "periods", from.periods);
    put_if_any(throttling, "throttledPeriods", from.throttled_periods);
    put_if_any(throttling, "throttledTime", from.throttled_time);
    return {{"usage", usage}, {"throttling", throttling}};
}

Json cpuset(const cgroup::CpusetUsage& from) {
    auto json = Json::object();
    put_if_any(json, "cpus", from.cpus);
    json["cpu_exclusive"] = from.cpu_exclusive;
    put_if_any(json, "mems", from.mems);
    json["mem_hardwall"] = from.mem_hardwall;
    json["mem_exclusive"] = from.mem_exclusive;
    json["memory_migrate"] = from.memory_migrate;
    json["memory_spread_page"] = from.memory_spread_page;
    json["memory_spread_slab"] = from.memory_spread_slab;
    json["memory_pressure"] = from.memory_pressure;
    json["sched_load_balance"] = from.sched_load_balance;
    json["sched_relax_domain_level"] = from.sched_relax_domain_level;
    return json;
}

Json counter(const cgroup::MemoryCounter& from) {
    Json json{{"limit", from.limit}};
    put_if_any(json, "usage", from.usage);
    put_if_any(json, "max", from.max);
    json["failcnt"] = from.failures;
    return json;
}

Json memory(const cgroup::MemoryUsage& from) {
    auto json = Json::object();
    put_if_any(json, "cache", from.cache);
    json["usage"] = counter(from.usage);
    json["swap"] = counter(from.swap);
    json["kernel"] = counter(from.kernel);
    json["kernelTCP"] = counter(from.kernel_tcp);
    put_if_any(json, "raw", from.raw);
    return json;
}

Json block_io(const cgroup::BlockIoUsage& from) {
    auto json = Json::object();
    const auto put = [&](const char* key, const std::vector<cgroup::BlockIoEntry>& entries) {
        for (const auto& entry : entries) {
            auto item = Json::object();
            put_if_any(item, "major", entry.major);
            put_if_any(item, "minor", entry.minor);
            put_if_any(item, "op", entry.operation);
            put_if_any(item, "value", entry.value);
            json[key].push_back(std::move(item));
        }
    };
    put("ioServiceBytesRecursive", from.bytes);
    put("ioServicedRecursive", from.operations);
    put("ioQueueRecursive", from.queued);
    put("ioServiceTimeRecursive", from.service_time);
    put("ioWaitTimeRecursive", from.wait_time);
    put("ioMergedRecursive", from.merged);
    put("ioTimeRecursive", from.time);
    put("sectorsRecursive", from.sectors);
    return json;
}

Json hugepages(const std::map<std::string, cgroup::HugepageUsage>& from) {
    auto json = Json::object();
    for (const auto& [size, usage] : from) {
        auto item = Json::object();
        put_if_any(item, "usage", usage.usage);
        put_if_any(item, "max", usage.max);
        item["failcnt"] = usage.failures;
        json[size] = std::move(item);
    }
    return json;
}

}  // namespace

std::string encode_stats_event(std::string_view id, const cgroup::Usage& usage) {
    auto pids = Json::object();
    put_if_any(pids, "current", usage.pids);
    put_if_any(pids, "limit", usage.pids_limit);
    const Json data{{"cpu", cpu(usage.cpu)},
                    {"cpuset", cpuset(usage.cpuset)},
                    {"memory", memory(usage.memory)},
                    {"pids", pids},
                    {"blkio", block_io(usage.block_io)},
                    {"hugetlb", hugepages(usage.hugepages)},
                    {"intel_rdt", Json::object()},
                    {"network_interfaces", nullptr}};
    return Json{{"type", "stats"}, {"id", id}, {"data", data}}.dump();
}

std::string encode_oom_event(std::string_view id) {
    return Json{{"type", "oom"}, {"id", id}}.dump();
}

}  // namespace covey::runtime
