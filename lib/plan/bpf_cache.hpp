// Compiled seccomp filters on disk, shared by every shim and covey-runtime: compiling Docker's
// profile takes longer than the rest of a launch. A folder of root's, mode 0700; one file a
// profile, named by a hash, with the whole profile inside: equal hashes never mix two profiles.
// Thread rule: safe from any thread and process (files are replaced by rename). Blocks on disk.
#pragma once

#include "plan/seccomp_filter.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace covey::plan {

/// The profile as one unambiguous text: equal texts compile to equal filters.
[[nodiscard]] std::string canonical_text(const spec::Seccomp& profile);

/// Nothing when there is no entry or it is not wholly to be trusted: another owner, readable or
/// writable by others, a link, another compiler, another profile, a wrong length or checksum.
[[nodiscard]] std::optional<CompiledSeccomp> cache_lookup(const std::string& folder,
                                                          std::string_view profile);
/// Makes the folder if it is missing. A cache that cannot be written is no error.
void cache_store(const std::string& folder, std::string_view profile,
                 const CompiledSeccomp& compiled) noexcept;
/// The entry's name in the folder.
[[nodiscard]] std::string cache_name(std::string_view profile);

}  // namespace covey::plan
