// A list of id mappings (user_namespaces(7)) and what can be said of it: which host id an id has,
// what is wrong with a pod's list. Called by the parsers, launch, core and the API. Thread rule:
// pure functions. Do not block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::spec {

struct IdMapping {
    std::uint32_t container_id = 0, host_id = 0, size = 0;
    friend bool operator==(const IdMapping&, const IdMapping&) = default;
};

/// user_namespaces(7): the kernel takes at most this many lines (since Linux 4.15).
inline constexpr std::size_t kMostIdMappings = 340;
/// uid_t and gid_t: 2^32-1 means "unchanged" to the kernel, so it is never an id.
inline constexpr std::uint32_t kLargestId = 0xfffffffe;

/// Whether two ranges of ids have one in common.
[[nodiscard]] bool overlap(std::uint32_t a, std::uint32_t a_size, std::uint32_t b,
                           std::uint32_t b_size) noexcept;

/// The host's number of an id in a namespace with these maps; nothing: it has none.
[[nodiscard]] std::optional<std::uint32_t> host_id(const std::vector<IdMapping>& maps,
                                                   std::uint32_t id) noexcept;
/// The other way round; nothing: the host's id has no number in there.
[[nodiscard]] std::optional<std::uint32_t> inner_id(const std::vector<IdMapping>& maps,
                                                    std::uint32_t host) noexcept;
/// Whether an id of the host has a number in there.
[[nodiscard]] bool maps_host_id(const std::vector<IdMapping>& maps, std::uint32_t id) noexcept;
/// Whether the two give out an id of the host both.
[[nodiscard]] bool share_host_ids(const std::vector<IdMapping>& a,
                                  const std::vector<IdMapping>& b) noexcept;
/// The same mappings, in whatever order.
[[nodiscard]] bool same_mappings(std::vector<IdMapping> a, std::vector<IdMapping> b);

/// What is wrong with the mappings of a pod's new user namespace; nothing: they are fine.
[[nodiscard]] std::optional<std::string> pod_mappings_fault(const std::vector<IdMapping>& maps);

/// The text of a uid_map or gid_map (user_namespaces(7)).
[[nodiscard]] std::vector<IdMapping> parse_id_map(std::string_view text);

/// "0:100000:65536", several parted by commas; for messages.
[[nodiscard]] std::string mappings_text(const std::vector<IdMapping>& maps);

}  // namespace covey::spec
