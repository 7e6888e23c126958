// Id mappings as the API and the records write them, which is as OCI's config.json does:
// [{"containerID", "hostID", "size"}]. Called by the codecs. Thread rule: pure functions. Do not
// block.
#pragma once

#include "api/body_reader.hpp"
#include "spec/id_mappings.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string_view>
#include <vector>

namespace covey::daemon {

[[nodiscard]] nlohmann::ordered_json id_mappings_json(const std::vector<spec::IdMapping>& maps);
/// Notes what is wrong with the list, or that it is not there.
[[nodiscard]] std::vector<spec::IdMapping> read_id_mappings(BodyReader& reader,
                                                            std::string_view key);

}  // namespace covey::daemon
