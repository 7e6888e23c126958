// Limits and device rules as the properties that systemd has for v1's hierarchies: MemoryLimit=,
// CPUShares=, BlockIOWeight=, DeviceAllow= (systemd.resource-control(5), "Deprecated Options").
// One of v2's beside them would make systemd read the unit as one of v2.
#include "base/text.hpp"
#include "cgroup/devices.hpp"
#include "cgroup/systemd_units.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace covey::cgroup {
namespace {

// What systemd takes, and the kernel makes of any other number.
constexpr std::uint64_t kFewestShares = 2, kMostShares = 262'144;

std::uint64_t limit_or_infinity(std::int64_t limit) {
    return limit > 0 ? static_cast<std::uint64_t>(limit) : kInfinity;
}

void add_cpu(std::vector<UnitProperty>& properties, const Limits& limits, const Host& host,
             const Group* group) {
    if (limits.cpu_shares.value_or(0) != 0)
        properties.push_back(number_property(
            "CPUShares", std::clamp(*limits.cpu_shares, kFewestShares, kMostShares)));
    const auto wanted_period = limits.cpu_period.value_or(0);
    if (!limits.cpu_quota && wanted_period == 0) return;
    // The one that stays as it is counts too: systemd knows only their ratio.
    const auto period = wanted_period != 0 ? std::optional{wanted_period}
                                           : cpu_number(host, group, "cpu.cfs_period_us");
    const auto quota = limits.cpu_quota
                           ? limit_or_infinity(*limits.cpu_quota)
                           : cpu_number(host, group, "cpu.cfs_quota_us").value_or(kInfinity);
    add_bandwidth(properties, quota, period);
}

[[noreturn]] void cannot_say(const std::string& rule) {
    throw Error(Code::unsupported_by_host,
                fmt::format("/linux/resources/devices: device rule '{}' with --systemd-cgroup: on "
                            "a host with cgroup v1 alone systemd keeps the rules, and its "
                            "DeviceAllow= cannot express this one",
                            rule))
        .with_fix(
            "list the devices that are allowed, each with its numbers, or leave --systemd-cgroup "
            "away");
}

/// As DeviceAllow= names them; numbers need no node in /dev (systemd 240), and no driver.
std::string device_name(const DeviceMatch& rule) {
    const bool is_block = rule.type == 'b';
    if (rule.major && rule.minor)
        return fmt::format("/dev/{}/{}:{}", is_block ? "block" : "char", *rule.major, *rule.minor);
    if (rule.minor) cannot_say("allow " + v1_line(rule));
    return fmt::format("{}-{}", is_block ? "block" : "char",
                       rule.major ? std::to_string(*rule.major) : "*");
}

std::string letters(std::uint32_t access) {
    std::string text;
    for (const auto& [bit, letter] : {std::pair{kRead, 'r'}, {kWrite, 'w'}, {kMknod, 'm'}})
        if ((access & bit) != 0) text += letter;
    return text;
}

}  // namespace

std::optional<std::uint64_t> cpu_number(const Host& host, const Group* group, const char* file) {
    const auto mount = host.v1.find("cpu");
    if (group == nullptr || mount == host.v1.end()) return std::nullopt;
    const auto folder = open_group(mount->second, group->placement().in(mount->second));
    const auto text = folder ? read_control(folder.value(), file) : std::nullopt;
    return text ? parse_u64(trim(*text)) : std::nullopt;
}

std::vector<UnitProperty> limit_properties_v1(const Limits& limits, const Host& host,
                                              const Group* group) {
    std::vector<UnitProperty> properties;
    if (limits.memory_max)
        properties.push_back(number_property("MemoryLimit", limit_or_infinity(*limits.memory_max)));
    add_cpu(properties, limits, host, group);
    if (limits.io.weight) properties.push_back(number_property("BlockIOWeight", *limits.io.weight));
    if (limits.pids_max)
        properties.push_back(number_property("TasksMax", limit_or_infinity(*limits.pids_max)));
    // Of v2 alone; here they only tell who asks systemd.
    if (limits.cpuset_cpus)
        properties.push_back({"AllowedCPUs", "ay", cpu_mask(*limits.cpuset_cpus, "cpu.cpus")});
    if (limits.cpuset_mems)
        properties.push_back(
            {"AllowedMemoryNodes", "ay", cpu_mask(*limits.cpuset_mems, "cpu.mems")});
    return properties;
}

std::vector<UnitProperty> device_properties(const std::vector<DeviceRule>& rules,
                                            const Host& host) {
    if (host.layout != Layout::v1) return {};
    const auto devices = devices_for_v1(effective_rules(rules));
    if (devices.allow_all) {
        if (!devices.exceptions.empty()) cannot_say("deny " + v1_line(devices.exceptions.front()));
        return {};
    }
    // A name that comes twice would keep the second access only.
    std::map<std::string, std::uint32_t> allowed;
    for (const auto& rule : devices.exceptions)
        allowed[device_name(rule)] |= rule.access;
    std::vector<std::string> lines;
    for (const auto& [name, access] : allowed)
        lines.push_back(name + " " + letters(access));
    return {{"DevicePolicy", "s", "strict"}, {"DeviceAllow", "a(ss)", join(lines, "\n")}};
}

}  // namespace covey::cgroup
