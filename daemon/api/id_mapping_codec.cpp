#include "api/id_mapping_codec.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace covey::daemon {
namespace {

constexpr std::array<std::string_view, 3> kMappingFields{"containerID", "hostID", "size"};
constexpr const char* kExample = R"(write [{"containerID": 0, "hostID": 100000, "size": 65536}])";

std::uint32_t read_id(BodyReader& reader, std::string_view key, double least) {
    reader.require(key, kExample);
    const double number = reader.number(key, least, spec::kLargestId).value_or(least);
    if (std::floor(number) != number) reader.problem(key, "must be a whole number");
    return static_cast<std::uint32_t>(number);
}

}  // namespace

nlohmann::ordered_json id_mappings_json(const std::vector<spec::IdMapping>& maps) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& map : maps)
        list.push_back(
            {{"containerID", map.container_id}, {"hostID", map.host_id}, {"size", map.size}});
    return list;
}

std::vector<spec::IdMapping> read_id_mappings(BodyReader& reader, std::string_view key) {
    std::vector<spec::IdMapping> maps;
    reader.require(key, kExample);
    const auto* const list = reader.find(key);
    if (list == nullptr) return maps;
    if (!list->is_array()) {
        reader.problem(key, "must be an array of id mappings", kExample);
        return maps;
    }
    for (std::size_t i = 0; i < list->size(); ++i) {
        BodyReader entry{(*list)[i], fmt::format("{}/{}", reader.at(key), i), reader.problems(),
                         kMappingFields};
        const auto inside = read_id(entry, "containerID", 0), host = read_id(entry, "hostID", 0);
        maps.push_back({inside, host, read_id(entry, "size", 1)});
    }
    if (const auto fault = spec::pod_mappings_fault(maps)) reader.problem(key, *fault, kExample);
    return maps;
}

}  // namespace covey::daemon
