// config.md#mounts and the id mappings that mounts and user namespaces share.
#include "base/json.hpp"
#include "spec/checks.hpp"
#include "spec/parse.hpp"

#include <fmt/format.h>

namespace covey::spec {
namespace {

void parse_id_mapping(ObjectReader& reader, IdMapping& mapping) {
    reader.number("containerID", mapping.container_id, Need::required, 0U, kLargestId);
    reader.number("hostID", mapping.host_id, Need::required, 0U, kLargestId);
    reader.number("size", mapping.size, Need::required, 1U);
    const auto end = [&](std::uint32_t first) {
        return static_cast<std::uint64_t>(first) + mapping.size;
    };
    constexpr std::uint64_t kEnd = static_cast<std::uint64_t>(kLargestId) + 1;
    if (end(mapping.container_id) > kEnd || end(mapping.host_id) > kEnd) {
        reader.problem(
            "size", fmt::format("{} reaches beyond the largest id, {}", mapping.size, kLargestId));
    }
}

/// user_namespaces(7): neither the container's nor the host's ids may be mapped twice.
void check_overlaps(ObjectReader& reader, const Place& list, const std::vector<IdMapping>& maps) {
    for (std::size_t i = 1; i < maps.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            const IdMapping &a = maps[i], &b = maps[j];
            if (overlap(a.container_id, a.size, b.container_id, b.size) ||
                overlap(a.host_id, a.size, b.host_id, b.size)) {
                reader.problems().add(Place{&list, i}, fmt::format("overlaps with mapping {}", j));
                break;
            }
        }
    }
}

}  // namespace

void parse_id_mappings(ObjectReader& reader, std::string_view key, std::vector<IdMapping>& out) {
    read_list(reader, key, out, parse_id_mapping);
    const Place list = reader.at(key);
    if (out.size() > kMostIdMappings) {
        reader.problem(key, fmt::format("has {} mappings, the kernel takes at most {}", out.size(),
                                        kMostIdMappings));
    } else if (!out.empty() && reader.problems().clean(list.pointer())) {
        check_overlaps(reader, list, out);
    }
}

void parse_mount(ObjectReader& reader, Mount& mount) {
    // config.md#mounts: it may be relative (old tools), and is then below "/".
    if (reader.text("destination", mount.destination, Need::required) &&
        mount.destination.empty()) {
        reader.problem("destination", "must not be empty");
    }
    parse_name(reader, "type", mount.type);
    reader.text("source", mount.source);
    reader.texts("options", mount.options, [&](const std::string& option, const Place& place) {
        if (option.empty()) reader.problems().add(place, "must not be empty");
    });
    parse_id_mappings(reader, "uidMappings", mount.uid_mappings);
    parse_id_mappings(reader, "gidMappings", mount.gid_mappings);
    if (mount.uid_mappings.empty() != mount.gid_mappings.empty()) {
        const bool uid = mount.uid_mappings.empty();
        reader.problem(
            uid ? "uidMappings" : "gidMappings",
            fmt::format("must be given together with {}", uid ? "gidMappings" : "uidMappings"));
    }
}

}  // namespace covey::spec
