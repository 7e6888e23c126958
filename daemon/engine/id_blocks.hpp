// Which host ids a pod's new user namespace gets when its request names none: a block of 65536 that
// no other sandbox has, from a range that belongs to Covey. Called by the engine. Thread rule: the
// io_context's one thread; reads two small files of /etc.
#pragma once

#include "core/messages.hpp"
#include "engine/id_range.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::daemon {

inline constexpr std::uint32_t kIdBlock = 65536;
inline constexpr std::string_view kSubordinateOwner = "covey";

using IdMappings = std::vector<spec::IdMapping>;

/// The entries of `owner` in a text like /etc/subuid (subuid(5)). Lines that are none are passed
/// over.
[[nodiscard]] std::vector<IdRange> parse_subordinate_ids(std::string_view text,
                                                         std::string_view owner);
/// First id of a block of these ranges that none of `taken` touches, and that is not the host's
/// root.
[[nodiscard]] std::optional<std::uint32_t> free_block(const std::vector<IdRange>& ranges,
                                                      const IdMappings& taken);
/// Puts a block into the wish. Throws failed_precondition when Covey has no ids, resource_exhausted
/// when all are taken.
void choose_ids(core::NamespaceWish& wish, const IdSource& source, const IdMappings& taken_uids,
                const IdMappings& taken_gids);
/// The ranges, in words, for `covey doctor`; nothing: there are none.
[[nodiscard]] std::optional<std::string> describe_ids(const IdSource& source);

}  // namespace covey::daemon
