// The registry of containers that engines make through covey-runtime: a folder
// (/run/covey/engines, COVEY_REGISTRY) with one link record for each, {root, id}, which
// covey-runtime writes and coveyd watches. Here is what both must know alike: where it is, and how
// a link is called. Thread rule: pure. Does not block.
#pragma once

#include <string>
#include <string_view>

namespace covey::store {

inline constexpr std::string_view kEngineRegistry = "/run/covey/engines";
inline constexpr std::string_view kEngineLinkSuffix = ".json";

/// The same id may be in several roots: the name has a digest of the root (FNV-1a, 64 bits).
[[nodiscard]] std::string engine_link_name(std::string_view root, std::string_view id);

}  // namespace covey::store
