#include "spec/id_mappings.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace covey::spec {
namespace {

std::optional<std::string> range_fault(const IdMapping& map) {
    constexpr std::uint64_t kEnd = std::uint64_t{kLargestId} + 1;
    if (map.size == 0) return "has a mapping of no ids: size must be at least 1";
    for (const auto first : {map.container_id, map.host_id})
        if (std::uint64_t{first} + map.size > kEnd)
            return fmt::format("{} ids from {} on reach beyond the largest id, {}", map.size, first,
                               kLargestId);
    return std::nullopt;
}

}  // namespace

bool overlap(std::uint32_t a, std::uint32_t a_size, std::uint32_t b,
             std::uint32_t b_size) noexcept {
    return a < std::uint64_t{b} + b_size && b < std::uint64_t{a} + a_size;
}

std::optional<std::uint32_t> host_id(const std::vector<IdMapping>& maps,
                                     std::uint32_t id) noexcept {
    for (const auto& map : maps)
        if (id >= map.container_id && id - map.container_id < map.size)
            return map.host_id + (id - map.container_id);
    return std::nullopt;
}

std::optional<std::uint32_t> inner_id(const std::vector<IdMapping>& maps,
                                      std::uint32_t host) noexcept {
    for (const auto& map : maps)
        if (host >= map.host_id && host - map.host_id < map.size)
            return map.container_id + (host - map.host_id);
    return std::nullopt;
}

bool maps_host_id(const std::vector<IdMapping>& maps, std::uint32_t id) noexcept {
    return inner_id(maps, id).has_value();
}

bool share_host_ids(const std::vector<IdMapping>& a, const std::vector<IdMapping>& b) noexcept {
    for (const auto& one : a)
        for (const auto& other : b)
            if (overlap(one.host_id, one.size, other.host_id, other.size)) return true;
    return false;
}

bool same_mappings(std::vector<IdMapping> a, std::vector<IdMapping> b) {
    const auto by_id = [](const auto& x, const auto& y) { return x.container_id < y.container_id; };
    std::sort(a.begin(), a.end(), by_id);
    std::sort(b.begin(), b.end(), by_id);
    return a == b;
}

std::optional<std::string> pod_mappings_fault(const std::vector<IdMapping>& maps) {
    if (maps.size() > kMostIdMappings)
        return fmt::format("has {} mappings, the kernel takes at most {}", maps.size(),
                           kMostIdMappings);
    for (std::size_t i = 0; i < maps.size(); ++i) {
        if (auto fault = range_fault(maps[i])) return fault;
        for (std::size_t j = 0; j < i; ++j)
            if (overlap(maps[i].container_id, maps[i].size, maps[j].container_id, maps[j].size) ||
                overlap(maps[i].host_id, maps[i].size, maps[j].host_id, maps[j].size))
                return fmt::format("mapping {} overlaps with mapping {}", i, j);
    }
    if (!host_id(maps, 0)) return "maps no id 0: a pod's root sets up its namespaces";
    if (maps_host_id(maps, 0)) return "maps the host's id 0: the pod's root would be the host's";
    return std::nullopt;
}

std::vector<IdMapping> parse_id_map(std::string_view text) {
    std::vector<IdMapping> maps;
    for (const auto line : split(text, '\n')) {
        std::array<std::uint32_t, 3> numbers{};
        std::size_t count = 0;
        for (const auto word : split(line, ' '))
            if (const auto number = parse_u32(word); number && count < numbers.size())
                numbers.at(count++) = *number;
        if (count == numbers.size()) maps.push_back({numbers[0], numbers[1], numbers[2]});
    }
    return maps;
}

std::string mappings_text(const std::vector<IdMapping>& maps) {
    std::string text;
    for (const auto& map : maps)
        text += fmt::format("{}{}:{}:{}", text.empty() ? "" : ",", map.container_id, map.host_id,
                            map.size);
    return text;
}

}  // namespace covey::spec
