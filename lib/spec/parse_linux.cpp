// config-linux.md without resources and seccomp: namespaces, ids, devices, sysctl, paths, …
#include "base/json.hpp"
#include "base/text.hpp"
#include "spec/checks.hpp"
#include "spec/parse.hpp"
#include "spec/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace covey::spec {
namespace {

using namespace std::string_view_literals;

// The kernel's own limits: 12 bits of major, 20 bits of minor number (MAJOR, MINOR in kdev_t.h).
constexpr std::int64_t kLargestMajor = 0xfff;
constexpr std::int64_t kLargestMinor = 0xfffff;

std::vector<std::string_view> namespace_names() {
    std::vector<std::string_view> names;
    for (const auto& entry : namespace_table()) {
        names.push_back(entry.oci_name);
    }
    return names;
}

/// "net" and "mnt" are what the kernel says, and too far from OCI's words for a nearest name.
std::string unknown_namespace(std::string_view type) {
    for (const auto& entry : namespace_table()) {
        if (entry.proc_name == type) {
            return fmt::format("unknown namespace type {} (did you mean '{}'?)", quote(type),
                               entry.oci_name);
        }
    }
    const auto names = namespace_names();
    return fmt::format("unknown namespace type {}{}", quote(type), did_you_mean(type, names));
}

void parse_namespaces(ObjectReader& reader, std::vector<Namespace>& out) {
    std::set<NamespaceType> seen;
    reader.each("namespaces", [&](const nlohmann::json& element, const Place& place) {
        ObjectReader entry{element, place, reader.problems()};
        Namespace value;
        std::string type;
        if (entry.text("type", type, Need::required)) {
            if (const NamespaceInfo* const known = find_namespace(type); known == nullptr) {
                entry.problem("type", unknown_namespace(type));
            } else {
                value.type = known->type;
                // config-linux.md: a duplicated type is an error.
                if (!seen.insert(known->type).second) {
                    entry.problem("type", fmt::format("namespace type '{}' is given twice", type));
                }
            }
        }
        parse_absolute(entry, "path", value.path);
        out.push_back(std::move(value));
    });
}

void parse_time_offset(ObjectReader& reader, TimeOffset& offset) {
    reader.number("secs", offset.secs);
    // time_namespaces(7): below one second.
    reader.number("nanosecs", offset.nanosecs, Need::optional, 0U, 999'999'999U);
}

void parse_time_offsets(ObjectReader& reader, std::map<std::string, TimeOffset>& out) {
    constexpr std::array kClocks{"boottime"sv, "monotonic"sv};
    const nlohmann::json* const offsets = reader.find("timeOffsets");
    if (offsets == nullptr) return;
    const Place place = reader.at("timeOffsets");
    ObjectReader entries{*offsets, place, reader.problems()};
    if (!entries.is_object()) return;
    for (const auto& [clock, value] : offsets->items()) {
        if (std::find(kClocks.begin(), kClocks.end(), clock) == kClocks.end()) {
            entries.problem(clock, fmt::format("unknown clock {}{}", quote(clock),
                                               did_you_mean(clock, kClocks)));
            continue;
        }
        TimeOffset offset;
        if (read_object(entries, clock, offset, parse_time_offset)) out.emplace(clock, offset);
    }
}

void parse_device_type(ObjectReader& reader, Device& device) {
    std::string type;
    if (!reader.text("type", type, Need::required)) return;
    if (type.size() != 1 || "cubp"sv.find(type.front()) == std::string_view::npos) {
        reader.problem("type", fmt::format("unknown device type {}, only c, u, b and p are known",
                                           quote(type)));
        return;
    }
    device.type = type.front();
}

void parse_device(ObjectReader& reader, Device& device) {
    parse_device_type(reader, device);
    if (parse_absolute(reader, "path", device.path, Need::required) && device.path.empty()) {
        reader.problem("path", "must not be empty");
    }
    const Need numbers = device.type == 'p' ? Need::optional : Need::required;
    reader.number("major", device.major, numbers, std::int64_t{0}, kLargestMajor);
    reader.number("minor", device.minor, numbers, std::int64_t{0}, kLargestMinor);
    // Podman writes st_mode as it is, with the file type's bits; only the permissions count.
    constexpr std::uint32_t kTypeAndPermissions = 0177777, kPermissions = 07777;
    if (reader.number("fileMode", device.file_mode, Need::optional, 0U, kTypeAndPermissions)) {
        device.file_mode = *device.file_mode & kPermissions;
    }
    reader.number("uid", device.uid, Need::optional, 0U, kLargestId);
    reader.number("gid", device.gid, Need::optional, 0U, kLargestId);
}

void parse_sysctl(ObjectReader& reader, std::map<std::string, std::string>& out) {
    reader.text_map("sysctl", out);
    const Place map = reader.at("sysctl");
    for (const auto& [key, value] : out) {
        const Place place{&map, key};
        if (!is_sysctl_key(key)) {
            reader.problems().add(
                place, fmt::format("{} is not a sysctl name like net.ipv4.ip_forward", quote(key)));
        }
        // One write is one value: a newline would begin another. Tabs part numbers (tcp_rmem).
        if (std::any_of(value.begin(), value.end(), [](char byte) {
                return byte != '\t' && has_control({&byte, 1});
            })) {
            reader.problems().add(place, "the value must be one line without control bytes");
        }
    }
}

void parse_propagation(ObjectReader& reader, Propagation& out) {
    constexpr std::array kNames{"shared"sv,  "rshared"sv,  "slave"sv,      "rslave"sv,
                                "private"sv, "rprivate"sv, "unbindable"sv, "runbindable"sv};
    constexpr std::array kValues{Propagation::shared,     Propagation::rshared,
                                 Propagation::slave,      Propagation::rslave,
                                 Propagation::private_,   Propagation::rprivate,
                                 Propagation::unbindable, Propagation::runbindable};
    static_assert(kNames.size() == kValues.size());
    std::string name;
    if (!reader.one_of("rootfsPropagation", name, kNames, "propagation")) return;
    const auto index = std::find(kNames.begin(), kNames.end(), name) - kNames.begin();
    out = kValues.at(static_cast<std::size_t>(index));
}

void parse_paths(ObjectReader& reader, std::string_view key, std::vector<std::string>& out) {
    reader.texts(key, out, [&](const std::string& path, const Place& place) {
        if (!is_absolute(path)) {
            reader.problems().add(place,
                                  fmt::format("must be an absolute path, not {}", quote(path)));
        }
    });
}

void parse_personality(ObjectReader& reader, Personality& personality) {
    constexpr std::array kDomains{"LINUX"sv, "LINUX32"sv};
    reader.one_of("domain", personality.domain, kDomains, "personality domain", Need::required);
    reader.texts("flags", personality.flags, [&](const std::string& flag, const Place& place) {
        // config-linux.md, personality: "currently no flag values are supported".
        reader.problems().add(
            place, fmt::format("unknown personality flag {}: there are none", quote(flag)));
    });
}

void parse_intel_rdt(ObjectReader& reader, IntelRdt& rdt) {
    // A slash alone is resctrl's own folder, the class of whoever is in no other.
    if (reader.text("closID", rdt.clos_id) && !rdt.clos_id.empty() && rdt.clos_id != "/" &&
        !is_file_name(rdt.clos_id)) {
        reader.problem("closID", fmt::format("{} is not the name of a folder", quote(rdt.clos_id)));
    }
    reader.text("l3CacheSchema", rdt.l3_cache_schema);
    if (reader.text("memBwSchema", rdt.mem_bw_schema) && !rdt.mem_bw_schema.empty() &&
        (!rdt.mem_bw_schema.starts_with("MB:") || has_control(rdt.mem_bw_schema))) {
        reader.problem("memBwSchema", "must be one line that begins with MB:");
    }
    reader.texts("schemata", rdt.schemata, [&](const std::string& line, const Place& place) {
        if (line.find(':') == line.npos || has_control(line))
            reader.problems().add(place, "must be one line such as L3:0=ff");
    });
    reader.boolean("enableMonitoring", rdt.enable_monitoring);
    // Of versions before 1.3.
    reader.boolean("enableCMT", rdt.enable_cmt);
    reader.boolean("enableMBM", rdt.enable_mbm);
}

void parse_net_devices(ObjectReader& reader, std::map<std::string, NetDevice>& out) {
    const nlohmann::json* const devices = reader.find("netDevices");
    if (devices == nullptr) return;
    const Place place = reader.at("netDevices");
    ObjectReader entries{*devices, place, reader.problems()};
    if (!entries.is_object()) return;
    constexpr auto kNoName =
        "is no name of a network device: 1 to 15 bytes without '/', ':', '%' and blanks";
    std::set<std::string> names;
    for (const auto& [key, value] : devices->items()) {
        if (!is_device_name(key)) entries.problem(key, fmt::format("{} {}", quote(key), kNoName));
        const Place entry_place = entries.at(key);
        ObjectReader entry{value, entry_place, reader.problems()};
        if (!entry.is_object()) continue;
        NetDevice device{key};
        if (entry.text("name", device.name) && device.name.empty()) device.name = key;
        if (device.name != key && !is_device_name(device.name))
            entry.problem("name", fmt::format("{} {}", quote(device.name), kNoName));
        else if (!names.insert(device.name).second)
            entry.problem("name", fmt::format("{} is given twice", quote(device.name)));
        out.emplace(key, std::move(device));
    }
}

void parse_memory_policy(ObjectReader& reader, MemoryPolicy& policy) {
    const auto names = [](std::span<const NamedNumber> table) {
        std::vector<std::string_view> all;
        for (const auto& one : table)
            all.push_back(one.name);
        return all;
    };
    reader.one_of("mode", policy.mode, names(memory_policy_modes()), "memory policy",
                  Need::required);
    if (reader.text("nodes", policy.nodes) && !policy.nodes.empty() && !is_cpu_list(policy.nodes))
        reader.problem("nodes", fmt::format("{} is not a list as in 0-2,7", quote(policy.nodes)));
    const auto flags = names(memory_policy_flags());
    reader.texts("flags", policy.flags, [&](const std::string& flag, const Place& place) {
        if (std::find(flags.begin(), flags.end(), flag) == flags.end())
            reader.problems().add(place, fmt::format("unknown memory policy flag {}{}", quote(flag),
                                                     did_you_mean(flag, flags)));
    });
}

}  // namespace

void parse_linux(ObjectReader& reader, Linux& out) {
    parse_namespaces(reader, out.namespaces);
    parse_id_mappings(reader, "uidMappings", out.uid_mappings);
    parse_id_mappings(reader, "gidMappings", out.gid_mappings);
    parse_time_offsets(reader, out.time_offsets);
    read_list(reader, "devices", out.devices, parse_device);
    parse_name(reader, "cgroupsPath", out.cgroups_path);
    read_object(reader, "resources", out.resources, parse_resources);
    parse_propagation(reader, out.rootfs_propagation);
    read_object(reader, "seccomp", out.seccomp, parse_seccomp);
    parse_sysctl(reader, out.sysctl);
    parse_paths(reader, "maskedPaths", out.masked_paths);
    parse_paths(reader, "readonlyPaths", out.readonly_paths);
    parse_name(reader, "mountLabel", out.mount_label);
    read_object(reader, "personality", out.personality, parse_personality);
    read_object(reader, "intelRdt", out.intel_rdt, parse_intel_rdt);
    parse_net_devices(reader, out.net_devices);
    read_object(reader, "memoryPolicy", out.memory_policy, parse_memory_policy);
}

}  // namespace covey::spec
