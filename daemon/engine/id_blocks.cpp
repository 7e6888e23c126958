#include "engine/id_blocks.hpp"

#include "base/text.hpp"
#include "spec/id_mappings.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::daemon {
namespace {

constexpr std::size_t kLargestFile = 1U << 20U;

bool is_taken(std::uint32_t first, const IdMappings& taken) {
    return std::any_of(taken.begin(), taken.end(), [first](const auto& map) {
        return spec::overlap(first, kIdBlock, map.host_id, map.size);
    });
}

std::vector<IdRange> ranges_in(const IdSource& source, const std::string& file) {
    if (source.range) return {*source.range};
    const auto text = sys::read_file_at(sys::kCwd, file, kLargestFile);
    return text ? parse_subordinate_ids(text.value(), kSubordinateOwner) : std::vector<IdRange>{};
}

IdMappings choose(const IdSource& source, const std::string& file, const IdMappings& taken) {
    const auto ranges = ranges_in(source, file);
    if (ranges.empty())
        throw Error(Code::failed_precondition,
                    fmt::format("no host ids for a new user namespace: {} has no entry of '{}'",
                                file, kSubordinateOwner))
            .with_fix(
                fmt::format("echo {}:FIRST:COUNT >> {} (65536 ids a pod), start coveyd with "
                            "--userns-ids FIRST:COUNT, or name uidMappings and gidMappings in the "
                            "request",
                            kSubordinateOwner, file));
    const auto first = free_block(ranges, taken);
    if (!first)
        throw Error(
            Code::resource_exhausted,
            fmt::format("no {} host ids in a row are free for a new user namespace", kIdBlock))
            .with_fix(source.range ? "delete sandboxes, or give coveyd a larger --userns-ids"
                                   : fmt::format("delete sandboxes, or enlarge {}'s entry in {}",
                                                 kSubordinateOwner, file));
    return {{0, *first, kIdBlock}};
}

std::string text_of(const std::vector<IdRange>& ranges) {
    std::string text;
    for (const auto& range : ranges)
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", range.first, range.size);
    return text;
}

}  // namespace

std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view owner) {
    std::vector<IdRange> ranges;
    for (const auto line : split(text, '\n')) {
        const auto parts = split(trim(line), ':');
        if (parts.size() != 3 || parts[0] != owner) continue;
        const auto first = parse_u32(parts[1]), size = parse_u32(parts[2]);
        if (first && size && *size > 0) ranges.push_back({*first, *size});
    }
    return ranges;
}

std::optional<std::uint32_t> free_block(const std::vector<IdRange>& ranges,
                                        const IdMappings& taken) {
    constexpr std::uint64_t kEnd = std::uint64_t{spec::kLargestId} + 1;
    for (const auto& range : ranges) {
        const auto end = std::min(std::uint64_t{range.first} + range.size, kEnd);
        for (std::uint64_t first = range.first; first + kIdBlock <= end; first += kIdBlock)
            if (first != 0 && !is_taken(static_cast<std::uint32_t>(first), taken))
                return static_cast<std::uint32_t>(first);
    }
    return std::nullopt;
}

void choose_ids(core::NamespaceWish& wish, const IdSource& source, const IdMappings& taken_uids,
                const IdMappings& taken_gids) {
    wish.uid_mappings = choose(source, source.subuid, taken_uids);
    wish.gid_mappings = choose(source, source.subgid, taken_gids);
}

std::optional<std::string> describe_ids(const IdSource& source) {
    const auto uids = ranges_in(source, source.subuid), gids = ranges_in(source, source.subgid);
    if (uids.empty() || gids.empty()) return std::nullopt;
    return fmt::format("uids {}, gids {}", text_of(uids), text_of(gids));
}

}  // namespace covey::daemon
