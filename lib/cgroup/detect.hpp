// Inside lib/cgroup and its tests only: the logic of detect() with the look at the kernel passed
// in. Thread rule: pure but for the files it reads. Does not block.
#pragma once

#include "cgroup/cgroup.hpp"

#include <functional>

namespace covey::cgroup {

/// statfs(2) f_type of what is on top at a path; 0 when nothing is there.
using FilesystemType = std::function<std::uint64_t(const std::string& path)>;

[[nodiscard]] Host detect_with(const std::string& root, const FilesystemType& type_of);
/// The logic of lets_others_be_moved() (residents.hpp).
[[nodiscard]] bool has_nsdelegate(std::string_view mountinfo);

}  // namespace covey::cgroup
