// Ids, capabilities, limits, seccomp of the calling process: thin wrappers over the system calls,
// not over libc's (glibc's setuid() signals all threads). Thread rule: they act on the calling
// thread; used only in single-threaded programs of ours.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <span>
#include <vector>

#include <sys/types.h>

namespace covey::sys {

struct CapabilityMasks {
    std::uint64_t effective = 0, permitted = 0, inheritable = 0;
    friend bool operator==(const CapabilityMasks&, const CapabilityMasks&) = default;
};

/// The highest capability this kernel knows (prctl probe).
[[nodiscard]] int last_capability();
Result<CapabilityMasks> get_capabilities();
Result<void> set_capabilities(const CapabilityMasks& masks);
Result<std::uint64_t> get_bounding_set();
/// Drops everything that is not in `keep`.
Result<void> limit_bounding_set(std::uint64_t keep);
Result<void> clear_ambient_set();
Result<void> raise_ambient(std::uint64_t mask);

Result<void> set_groups(std::span<const gid_t> groups);
Result<void> set_gid(gid_t gid);  // real, effective, saved
Result<void> set_uid(uid_t uid);
Result<void> keep_capabilities_over_set_uid();
Result<void> set_no_new_privs();
/// RLIMIT_*; `soft` and `hard` in the resource's unit, RLIM_INFINITY for none.
Result<void> set_limit(int resource, std::uint64_t soft, std::uint64_t hard);
Result<std::pair<std::uint64_t, std::uint64_t>> get_limit(int resource);
/// Whether this kernel has the action (SECCOMP_RET_*), or the flag (SECCOMP_FILTER_FLAG_*).
bool has_seccomp_action(std::uint32_t action);
bool has_seccomp_flag(std::uint32_t flag);
/// `filter` is an array of struct sock_filter, eight bytes each. With
/// SECCOMP_FILTER_FLAG_NEW_LISTENER the listener, close-on-exec; else an invalid descriptor.
Result<UniqueFd> load_seccomp(std::span<const std::uint64_t> filter, std::uint32_t flags);

}  // namespace covey::sys
