// Device rules on v1: Documentation/admin-guide/cgroup-v1/devices.rst.
#include "cgroup/devices.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::cgroup {
namespace {

bool covers(const std::optional<std::uint32_t>& wide, const std::optional<std::uint32_t>& narrow) {
    return !wide || wide == narrow;
}

bool covers_devices(const DeviceMatch& wide, const DeviceMatch& narrow) {
    return (wide.type == 'a' || wide.type == narrow.type) && covers(wide.major, narrow.major) &&
           covers(wide.minor, narrow.minor);
}

bool meet(const DeviceMatch& one, const DeviceMatch& other) {
    const auto numbers_meet = [](const auto& left, const auto& right) {
        return !left || !right || left == right;
    };
    return (one.type == 'a' || other.type == 'a' || one.type == other.type) &&
           numbers_meet(one.major, other.major) && numbers_meet(one.minor, other.minor) &&
           (one.access & other.access) != 0;
}

/// Takes back what `rule` says from the exceptions that an earlier rule made.
void take_back(std::vector<DeviceMatch>& exceptions, const DeviceMatch& rule) {
    for (auto& exception : exceptions) {
        if (!meet(rule, exception)) continue;
        if (!covers_devices(rule, exception))
            throw Error(
                Code::unsupported_by_host,
                fmt::format("device rule '{} {}' cuts a hole into '{}', which cgroup v1 "
                            "cannot express",
                            rule.allow ? "allow" : "deny", v1_line(rule), v1_line(exception)))
                .with_fix("list the single devices, or use a host with cgroup v2");
        exception.access &= ~rule.access;
    }
    std::erase_if(exceptions, [](const DeviceMatch& left) { return left.access == 0; });
}

/// v1 has no type that is both and has numbers: one line for each.
void add_exception(std::vector<DeviceMatch>& exceptions, DeviceMatch rule) {
    if (rule.type != 'a') return exceptions.push_back(rule);
    for (const char type : {'b', 'c'}) {
        rule.type = type;
        exceptions.push_back(rule);
    }
}

}  // namespace

DevicesV1 devices_for_v1(const std::vector<DeviceMatch>& rules) {
    DevicesV1 devices;
    for (const auto& rule : rules) {
        if (rule.is_for_all()) {
            devices = {rule.allow, {}};
            continue;
        }
        if (rule.allow == devices.allow_all)
            take_back(devices.exceptions, rule);
        else
            add_exception(devices.exceptions, rule);
    }
    return devices;
}

std::optional<DevicesV1> express_on_v1(const std::vector<DeviceMatch>& rules) {
    try {
        return devices_for_v1(rules);
    } catch (const Error& error) {
        if (error.code() != Code::unsupported_by_host) throw;
        return std::nullopt;
    }
}

std::string v1_line(const DeviceMatch& rule) {
    const auto number = [](const auto& value) { return value ? std::to_string(*value) : "*"; };
    std::string access;
    if ((rule.access & kRead) != 0) access += 'r';
    if ((rule.access & kWrite) != 0) access += 'w';
    if ((rule.access & kMknod) != 0) access += 'm';
    return fmt::format("{} {}:{} {}", rule.type, number(rule.major), number(rule.minor), access);
}

void write_devices_v1(FdRef group, const std::string& dir, const DevicesV1& devices) {
    const auto write = [&](bool allow, const std::string& line) {
        const std::string file = allow ? "devices.allow" : "devices.deny";
        sys::write_existing_at(group, file, line)
            .or_throw(fmt::format("write device rule '{}' to", line), dir + "/" + file);
    };
    write(devices.allow_all, "a");  // also forgets all exceptions
    for (const auto& rule : devices.exceptions)
        write(!devices.allow_all, v1_line(rule));
}

}  // namespace covey::cgroup
