// Containers: request bodies → actions, views and exits → JSON.
// Thread rule: pure functions. Do not block.
#pragma once

#include "api/action.hpp"
#include "api/http.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::daemon {

// Each throws invalid_argument and unknown_field, with everything that is wrong.
[[nodiscard]] CreateContainerAction decode_container(const std::string& id, std::string_view body);
[[nodiscard]] KillAction decode_kill(const std::string& id, std::string_view body);
[[nodiscard]] StopContainerAction decode_stop(const std::string& id, std::string_view body);
/// For requests without fields: nothing, or {}.
void require_empty_body(std::string_view body);

[[nodiscard]] nlohmann::ordered_json container_json(const ContainerView& view);
[[nodiscard]] nlohmann::ordered_json exit_json(const core::ExitRecord& exit);
[[nodiscard]] Response container_response(const ContainerView& view, unsigned status = 200);
[[nodiscard]] Response exit_response(const core::ExitRecord& exit);

struct ContainerFilter {
    std::vector<std::string> labels;  // "name=value", all of them
    std::optional<std::string> sandbox, state;
    [[nodiscard]] bool fits(const ContainerView& view) const;
};

}  // namespace covey::daemon
