// A container's user namespace: made with its id maps by whoever stays outside, and entered first
// of all namespaces, so that the others belong to it. Called by Namespaces and for id-mapped
// mounts. Thread rule: single-threaded (it forks). Blocks until a short-lived child has ended, and
// newuidmap(1) where the caller has no privilege.
#pragma once

#include "base/unique_fd.hpp"
#include "spec/id_mappings.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::launch {

using IdMappings = std::vector<spec::IdMapping>;

/// A new one below the caller's. The maps are written directly with CAP_SETUID and CAP_SETGID, or
/// when the caller maps nothing but its own id (setgroups(2) is then denied in it); else by
/// newuidmap(1) and newgidmap(1). Throws permission_denied with the fix when none of them may.
[[nodiscard]] UniqueFd make_user_namespace(const IdMappings& uids, const IdMappings& gids);

/// Supplementary groups, where the caller may drop them: before it enters, for inside they can be
/// dropped only where the namespace allows it.
void drop_groups();
/// In the user namespace: root, or `uid` and `gid` where it has no id 0.
void become_root(uid_t uid, gid_t gid);
/// All of it, with an nsfs descriptor.
void enter_user_namespace(FdRef name_space, uid_t uid, gid_t gid);

/// A uid_map or gid_map, host ids as the caller's user namespace has them.
[[nodiscard]] IdMappings read_id_map(const std::string& path);
/// Throws invalid_spec if the caller's user namespace has other maps than these (empty: any).
void check_id_maps(const IdMappings& uids, const IdMappings& gids);

}  // namespace covey::launch
