// Containers of engines → JSON, beside Covey's own in the same list: an item's `engine` tells them
// apart. Thread rule: pure functions. Do not block.
#pragma once

#include "api/action.hpp"
#include "api/container_codec.hpp"
#include "api/http.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::daemon {

inline constexpr std::string_view kOwnEngine = "covey";
inline constexpr std::array<std::string_view, 8> kEngines{
    "covey", "containerd", "cri-o", "podman", "docker", "buildah", "buildkit", "oci"};
/// Of ?state=: engines' containers can be paused.
inline constexpr std::array<std::string_view, 6> kListedStates{"creating", "created", "running",
                                                               "paused",   "stopped", "unknown"};

/// Throws invalid_argument for an ?engine= that is none of kEngines.
void require_engine_filter(const std::optional<std::string>& engine);

[[nodiscard]] Response engine_container_response(const EngineContainerView& view);

struct AllContainers {
    std::vector<ContainerView> own;
    std::vector<EngineContainerView> engines;
};
/// `engine` empty: of whomever.
[[nodiscard]] Response list_response(const AllContainers& containers, const ContainerFilter& filter,
                                     const std::optional<std::string>& engine,
                                     std::uint64_t resource_version);

}  // namespace covey::daemon
