// v2 limits as properties of a unit: systemd.resource-control(5). Made of the settings of v2's
// files, so that property and file say the same.
#include "base/text.hpp"
#include "cgroup/settings.hpp"
#include "cgroup/systemd_units.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace covey::cgroup {
namespace {

constexpr std::uint64_t kMostCpus = 65'536;

/// Files with one number or "max".
constexpr std::pair<std::string_view, const char*> kNumbers[] = {
    {"memory.max", "MemoryMax"}, {"memory.high", "MemoryHigh"},        {"memory.low", "MemoryLow"},
    {"memory.min", "MemoryMin"}, {"memory.swap.max", "MemorySwapMax"}, {"pids.max", "TasksMax"},
    {"cpu.weight", "CPUWeight"}};

std::optional<std::uint64_t> number_or_infinity(std::string_view text) {
    return text == "max" ? std::optional{kInfinity} : parse_u64(text);
}

/// cpu.max: "QUOTA", "QUOTA PERIOD", "max", "max PERIOD".
void add_cpu_max(std::vector<UnitProperty>& properties, std::string_view value,
                 const Reader& current) {
    const auto words = split(value, ' ');
    const auto quota = number_or_infinity(words.front());
    auto period = words.size() > 1 ? parse_u64(words[1]) : std::nullopt;
    if (!period)
        if (const auto now = current("cpu.max"))
            if (const auto at = now->find(' '); at != std::string::npos)
                period = parse_u64(std::string_view{*now}.substr(at + 1));
    if (quota) add_bandwidth(properties, *quota, period);  // else the kernel says what is wrong
}

void add_setting(std::vector<UnitProperty>& properties, const Setting& setting,
                 const Reader& current) {
    for (const auto& [file, name] : kNumbers)
        if (setting.file == file) {
            if (const auto value = number_or_infinity(setting.value))
                properties.push_back(number_property(name, *value));
            return;
        }
    if (setting.file == "cpu.max") add_cpu_max(properties, setting.value, current);
    if (setting.file == "cpuset.cpus")
        properties.push_back({"AllowedCPUs", "ay", cpu_mask(setting.value, "cpu.cpus")});
    if (setting.file == "cpuset.mems")
        properties.push_back({"AllowedMemoryNodes", "ay", cpu_mask(setting.value, "cpu.mems")});
    if (setting.file == "io.weight") {
        // "100", "default 100", or "8:0 100" for one device.
        auto text = std::string_view{setting.value};
        if (text.starts_with("default ")) text.remove_prefix(8);
        if (const auto weight = parse_u64(text))
            properties.push_back(number_property("IOWeight", *weight));
    }
}

}  // namespace

std::string cpu_mask(std::string_view list, std::string_view field) {
    const auto bad = [&] {
        return Error(Code::invalid_argument, fmt::format("{}: '{}' is not a list", field, list))
            .with_fix("write numbers and ranges, as in 0-2,7");
    };
    std::vector<std::uint8_t> bytes;
    for (const auto part : split(trim(list), ',')) {
        const auto ends = split(trim(part), '-');
        const auto first = parse_u64(ends.front()), last = parse_u64(ends.back());
        if (ends.size() > 2 || !first || !last || *first > *last || *last >= kMostCpus) throw bad();
        bytes.resize(std::max<std::size_t>(bytes.size(), *last / 8 + 1));
        for (auto cpu = *first; cpu <= *last; ++cpu)
            bytes[cpu / 8] = static_cast<std::uint8_t>(bytes[cpu / 8] | (1U << (cpu % 8)));
    }
    std::string text;
    for (const auto byte : bytes)
        text += fmt::format("{:02x}", byte);
    return text;
}

void keep_bandwidth(Limits& limits, const Host& host, const Group& group) {
    if (limits.cpu_quota || limits.unified.contains("cpu.max")) return;
    std::optional<std::uint64_t> quota, period;
    if (host.layout == Layout::v2) {
        const auto text = sys::read_file(group.identity_dir() + "/cpu.max").value_or("");
        const auto words = split(trim(text), ' ');
        quota = parse_u64(words.front());
        period = parse_u64(words.back());
    } else {
        quota = cpu_number(host, &group, "cpu.cfs_quota_us");
        period = cpu_number(host, &group, "cpu.cfs_period_us");
    }
    if (!quota || !period) return;  // none is in force
    limits.cpu_quota = static_cast<std::int64_t>(*quota);
    if (!limits.cpu_period) limits.cpu_period = period;
}

void add_bandwidth(std::vector<UnitProperty>& properties, std::uint64_t quota,
                   std::optional<std::uint64_t> period) {
    constexpr std::uint64_t kSecond = 1'000'000, kUsualPeriod = 100'000;
    // systemd keeps whole percents.
    constexpr std::uint64_t kPercent = kSecond / 100;
    const auto a_period = period.value_or(kUsualPeriod);
    if (a_period == 0) return;  // the kernel will say what is wrong
    auto per_second = kInfinity;
    if (quota < kInfinity / kSecond) {
        per_second = quota * kSecond / a_period;
        // Up: a group below must get what it was promised.
        per_second = (per_second + kPercent - 1) / kPercent * kPercent;
    }
    properties.push_back(number_property("CPUQuotaPerSecUSec", per_second));
    if (period) properties.push_back(number_property("CPUQuotaPeriodUSec", a_period));
}

UnitProperty number_property(const char* name, std::uint64_t value) {
    return {name, "t", std::to_string(value)};
}

std::vector<UnitProperty> limit_properties(const Limits& limits, const Host& host,
                                           const Group* group) {
    if (host.layout != Layout::v2) return limit_properties_v1(limits, host, group);
    const Reader current = [&](const std::string& file) -> std::optional<std::string> {
        if (group == nullptr) return std::nullopt;
        const auto text = sys::read_file(group->identity_dir() + "/" + file);
        return text ? std::optional{std::string{trim(text.value())}} : std::nullopt;
    };
    std::vector<UnitProperty> properties;
    for (const auto controller : kControllers)
        for (const auto& setting : settings_v2(controller, limits, current))
            add_setting(properties, setting, current);
    for (const auto& [file, value] : limits.unified)
        add_setting(properties, {file, value, "unified['" + file + "']"}, current);
    return properties;
}

}  // namespace covey::cgroup
