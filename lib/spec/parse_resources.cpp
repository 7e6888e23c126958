// config-linux.md, control groups: the limits of `linux.resources`.
#include "base/json.hpp"
#include "spec/checks.hpp"
#include "spec/parse.hpp"

#include <fmt/format.h>

namespace covey::spec {
namespace {

// "No limit" in every signed limit; other negative numbers have no meaning.
constexpr std::int64_t kNoLimit = -1;
// CFS bandwidth (kernel/sched/core.c): a period from 1 ms to 1 s, a quota of at least 1 ms.
constexpr std::uint64_t kShortestPeriod = 1000, kLongestPeriod = 1'000'000;
constexpr std::int64_t kSmallestQuota = 1000;
constexpr std::uint16_t kSmallestWeight = 10, kLargestWeight = 1000;

/// `major` and `minor` of a device rule: absent and -1 mean all.
void parse_wildcard(ObjectReader& reader, std::string_view key, std::optional<std::int64_t>& out) {
    reader.number(key, out, Need::optional, std::int64_t{-1}, std::int64_t{0xffffffff});
    if (out == -1) out.reset();
}

void parse_device_rule(ObjectReader& reader, DeviceCgroup& rule) {
    reader.boolean("allow", rule.allow, Need::required);
    std::string type;
    if (reader.text("type", type) && !type.empty()) {
        if (type != "a" && type != "b" && type != "c") {
            reader.problem("type", fmt::format("unknown device type {}, only a, b and c are known",
                                               quote(type)));
        } else {
            rule.type = type.front();
        }
    }
    parse_wildcard(reader, "major", rule.major);
    parse_wildcard(reader, "minor", rule.minor);
    std::string access;
    if (!reader.text("access", access) || access.empty()) return;
    for (std::size_t i = 0; i < access.size(); ++i) {
        const bool known = access[i] == 'r' || access[i] == 'w' || access[i] == 'm';
        if (!known || access.find(access[i]) != i) {
            reader.problem("access", fmt::format("{} is not made of r, w and m", quote(access)));
            return;
        }
    }
    rule.access = access;
}

void parse_memory(ObjectReader& reader, MemoryLimits& memory) {
    reader.number("limit", memory.limit, Need::optional, kNoLimit);
    reader.number("reservation", memory.reservation, Need::optional, kNoLimit);
    reader.number("swap", memory.swap, Need::optional, kNoLimit);
    reader.number("kernel", memory.kernel, Need::optional, kNoLimit);
    reader.number("kernelTCP", memory.kernel_tcp, Need::optional, kNoLimit);
    reader.number("swappiness", memory.swappiness, Need::optional, std::uint64_t{0},
                  std::uint64_t{100});
    reader.boolean("disableOOMKiller", memory.disable_oom_killer);
    reader.boolean("useHierarchy", memory.use_hierarchy);
    reader.boolean("checkBeforeUpdate", memory.check_before_update);
    // `swap` is memory plus swap (config-linux.md, memory): it cannot be the smaller one.
    if (memory.swap.value_or(0) > 0 && memory.limit.value_or(0) > 0 &&
        *memory.swap < *memory.limit) {
        reader.problem("swap",
                       fmt::format("{} is memory and swap together, so it cannot be below the "
                                   "memory limit, {}",
                                   *memory.swap, *memory.limit));
    }
}

void parse_cpu_set(ObjectReader& reader, std::string_view key, std::string& out) {
    if (reader.text(key, out) && !out.empty() && !is_cpu_list(out)) {
        reader.problem(key, fmt::format("{} is not a list like 0-3,7", quote(out)));
    }
}

/// 0 is "not set" to every engine.
void check_period(ObjectReader& reader, std::string_view key,
                  const std::optional<std::uint64_t>& period) {
    const std::uint64_t value = period.value_or(0);
    if (value != 0 && (value < kShortestPeriod || value > kLongestPeriod)) {
        reader.problem(key, fmt::format("must be from {} to {} microseconds, not {}",
                                        kShortestPeriod, kLongestPeriod, value));
    }
}

void parse_cpu(ObjectReader& reader, CpuLimits& cpu) {
    reader.number("shares", cpu.shares);
    if (reader.number("period", cpu.period)) check_period(reader, "period", cpu.period);
    reader.number("quota", cpu.quota, Need::optional, kNoLimit);
    reader.number("burst", cpu.burst);
    reader.number("realtimePeriod", cpu.realtime_period);
    reader.number("realtimeRuntime", cpu.realtime_runtime, Need::optional, kNoLimit);
    reader.number("idle", cpu.idle, Need::optional, std::int64_t{0}, std::int64_t{1});
    parse_cpu_set(reader, "cpus", cpu.cpus);
    parse_cpu_set(reader, "mems", cpu.mems);
    const std::int64_t quota = cpu.quota.value_or(0);
    if (quota > 0 && quota < kSmallestQuota) {
        reader.problem("quota", fmt::format("must be at least {} microseconds, not {}",
                                            kSmallestQuota, quota));
    } else if (quota > 0 && cpu.burst.value_or(0) > static_cast<std::uint64_t>(quota)) {
        reader.problem("burst", fmt::format("{} is above the quota, {}", *cpu.burst, quota));
    }
    const std::int64_t runtime = cpu.realtime_runtime.value_or(0);
    const std::uint64_t period = cpu.realtime_period.value_or(0);
    if (runtime > 0 && period > 0 && static_cast<std::uint64_t>(runtime) > period) {
        reader.problem("realtimeRuntime",
                       fmt::format("{} is above the real-time period, {}", runtime, period));
    }
}

void parse_pids(ObjectReader& reader, std::int64_t& limit) {
    reader.number("limit", limit, Need::required, kNoLimit);
}

void parse_weight(ObjectReader& reader, std::string_view key, std::optional<std::uint16_t>& out) {
    if (!reader.number(key, out)) return;
    // Docker writes 0 for "not set".
    if (*out != 0 && (*out < kSmallestWeight || *out > kLargestWeight)) {
        reader.problem(key, fmt::format("must be from {} to {}, not {}", kSmallestWeight,
                                        kLargestWeight, *out));
    }
}

void parse_block_device(ObjectReader& reader, std::int64_t& major, std::int64_t& minor) {
    reader.number("major", major, Need::required, std::int64_t{0});
    reader.number("minor", minor, Need::required, std::int64_t{0});
}

void parse_weight_device(ObjectReader& reader, WeightDevice& device) {
    parse_block_device(reader, device.major, device.minor);
    parse_weight(reader, "weight", device.weight);
    parse_weight(reader, "leafWeight", device.leaf_weight);
    if (reader.find("weight") == nullptr && reader.find("leafWeight") == nullptr) {
        // config-linux.md, block IO: at least one of the two MUST be given.
        reader.problem("weight", "is missing, and leafWeight too: one of them is needed");
    }
}

void parse_throttle(ObjectReader& reader, ThrottleDevice& device) {
    parse_block_device(reader, device.major, device.minor);
    reader.number("rate", device.rate, Need::required);
}

void parse_block_io(ObjectReader& reader, BlockIoLimits& io) {
    parse_weight(reader, "weight", io.weight);
    parse_weight(reader, "leafWeight", io.leaf_weight);
    read_list(reader, "weightDevice", io.weight_device, parse_weight_device);
    read_list(reader, "throttleReadBpsDevice", io.throttle_read_bps, parse_throttle);
    read_list(reader, "throttleWriteBpsDevice", io.throttle_write_bps, parse_throttle);
    read_list(reader, "throttleReadIOPSDevice", io.throttle_read_iops, parse_throttle);
    read_list(reader, "throttleWriteIOPSDevice", io.throttle_write_iops, parse_throttle);
}

void parse_hugepage(ObjectReader& reader, HugepageLimit& limit) {
    if (reader.text("pageSize", limit.page_size, Need::required) &&
        !is_hugepage_size(limit.page_size)) {
        reader.problem("pageSize", fmt::format("{} is not a size like 64KB, 2MB or 1GB",
                                               quote(limit.page_size)));
    }
    reader.number("limit", limit.limit, Need::required);
}

void parse_priority(ObjectReader& reader, InterfacePriority& priority) {
    if (reader.text("name", priority.name, Need::required) && !is_file_name(priority.name)) {
        reader.problem(
            "name", fmt::format("{} is not the name of a network interface", quote(priority.name)));
    }
    reader.number("priority", priority.priority, Need::required);
}

void parse_network(ObjectReader& reader, NetworkLimits& network) {
    reader.number("classID", network.class_id);
    read_list(reader, "priorities", network.priorities, parse_priority);
}

void parse_rdma_limit(ObjectReader& reader, RdmaLimit& limit) {
    const bool handles = reader.number("hcaHandles", limit.hca_handles);
    const bool objects = reader.number("hcaObjects", limit.hca_objects);
    if (!handles && !objects && reader.problems().clean(reader.place().pointer())) {
        // config-linux.md, RDMA: at least one MUST be given.
        reader.problems().add(reader.place(), "needs hcaHandles or hcaObjects");
    }
}

void parse_rdma(ObjectReader& reader, std::map<std::string, RdmaLimit>& out) {
    const nlohmann::json* const devices = reader.find("rdma");
    if (devices == nullptr) return;
    const Place place = reader.at("rdma");
    ObjectReader entries{*devices, place, reader.problems()};
    if (!entries.is_object()) return;
    for (const auto& [name, value] : devices->items()) {
        if (name.empty() || has_control(name) || name.find(' ') != std::string::npos) {
            entries.problem(name, fmt::format("{} is not the name of an RDMA device", quote(name)));
            continue;
        }
        RdmaLimit limit;
        if (read_object(entries, name, limit, parse_rdma_limit)) out.emplace(name, limit);
    }
}

void parse_unified(ObjectReader& reader, std::map<std::string, std::string>& out) {
    reader.text_map("unified", out);
    const Place map = reader.at("unified");
    for (const auto& [name, value] : out) {
        if (!is_file_name(name)) {
            reader.problems().add(Place{&map, name},
                                  fmt::format("{} is not the name of a cgroup file", quote(name)));
        }
    }
}

}  // namespace

void parse_resources(ObjectReader& reader, Resources& resources) {
    read_list(reader, "devices", resources.devices, parse_device_rule);
    read_object(reader, "memory", resources.memory, parse_memory);
    read_object(reader, "cpu", resources.cpu, parse_cpu);
    read_object(reader, "pids", resources.pids_limit, parse_pids);
    read_object(reader, "blockIO", resources.block_io, parse_block_io);
    read_list(reader, "hugepageLimits", resources.hugepage_limits, parse_hugepage);
    read_object(reader, "network", resources.network, parse_network);
    parse_rdma(reader, resources.rdma);
    parse_unified(reader, resources.unified);
}

}  // namespace covey::spec
