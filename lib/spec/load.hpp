// From bytes to a checked spec: the two calls that the rest of Covey uses. Strict JSON: duplicate
// keys, trailing data, invalid UTF-8, depth beyond 64 and more than 4 MiB are problems. Everything
// wrong is reported at once (SpecError). Thread rule: pure functions. Do not block.
#pragma once

#include "spec/problem.hpp"
#include "spec/types.hpp"

#include <string_view>

namespace covey::spec {

inline constexpr std::size_t kLargestConfig = 4U << 20U;  // bytes

/// A whole config.json: parsed and validated against the specification (not against the host).
[[nodiscard]] Spec load(std::string_view text);
/// A process.json, as `exec --process` takes it.
[[nodiscard]] Process load_process(std::string_view text);
/// The object that config.json has at linux.resources, as `update --resources` takes it. The
/// pointers of its problems begin at its own root.
[[nodiscard]] Resources load_resources(std::string_view text);

/// Of a configuration of that version `pids.limit` 0 is a limit (since 1.3); before engines wrote
/// it for "no limit", and load() then gives -1.
[[nodiscard]] bool limits_to_no_process(std::string_view oci_version) noexcept;

}  // namespace covey::spec
