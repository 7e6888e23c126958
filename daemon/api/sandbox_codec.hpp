// Sandboxes: request bodies → CreateSandboxAction, views → JSON.
// Thread rule: pure functions. Do not block.
#pragma once

#include "api/action.hpp"
#include "api/http.hpp"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace covey::daemon {

/// `id` is the path's, nothing for POST. Throws invalid_argument and unknown_field.
[[nodiscard]] CreateSandboxAction decode_sandbox(const std::optional<std::string>& id,
                                                 std::string_view body);
[[nodiscard]] nlohmann::ordered_json sandbox_json(const SandboxView& view);

/// The filters of a list.
struct SandboxFilter {
    std::vector<std::string> labels;  // "name=value", all of them
    std::optional<std::string> state;
    [[nodiscard]] bool fits(const SandboxView& view) const;
};
[[nodiscard]] Response sandbox_response(const SandboxView& view, unsigned status = 200);
[[nodiscard]] Response list_response(const std::vector<SandboxView>& views,
                                     const SandboxFilter& filter, std::uint64_t resource_version);

inline constexpr std::array<std::string_view, 5> kSandboxStates{"creating", "ready", "stopping",
                                                                "stopped", "unknown"};
/// Throws invalid_argument for a ?state= that is none of `states`.
void require_state_filter(const std::optional<std::string>& state,
                          std::span<const std::string_view> states);

/// Throws invalid_argument for a ?label= without "=".
void require_label_filters(const std::vector<std::string>& filters);
[[nodiscard]] bool has_labels(const StringMap& labels, const std::vector<std::string>& filters);

class BodyReader;
/// Of the field `pid1Signals`.
[[nodiscard]] std::optional<spec::Pid1Signals> read_pid1_signals(BodyReader& reader);
/// The pid mode of the field `pidMode`.
[[nodiscard]] std::optional<spec::PidMode> read_pid_mode(BodyReader& reader);
/// An `id` in the body must be the path's. Returns the id that counts ("" if there is none).
[[nodiscard]] std::string read_id(BodyReader& reader, const std::optional<std::string>& from_path,
                                  std::string_view what);

}  // namespace covey::daemon
