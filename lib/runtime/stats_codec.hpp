// The JSON lines of `events`, in runc's shape: what go-runc and its callers decode. Thread rule:
// pure functions. Do not block.
#pragma once

#include "cgroup/usage.hpp"

#include <string>
#include <string_view>

namespace covey::runtime {

/// {"type":"stats","id":…,"data":{cpu,cpuset,memory,pids,blkio,hugetlb,…}}
[[nodiscard]] std::string encode_stats_event(std::string_view id, const cgroup::Usage& usage);
/// {"type":"oom","id":…}
[[nodiscard]] std::string encode_oom_event(std::string_view id);

}  // namespace covey::runtime
