// Joining, leaving and naming namespaces. Compare namespaces by (device, inode), never by path.
// Thread rule: unshare and set_namespace only in single-threaded programs of ours, never in coveyd.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace covey::sys {

struct NamespaceId {
    std::uint64_t device = 0, inode = 0;
    friend bool operator==(const NamespaceId&, const NamespaceId&) = default;
};

/// `flags`: CLONE_NEW…
Result<void> unshare(std::uint64_t flags);
/// `target` is an nsfs descriptor (one flag) or a pidfd (several flags at once, Linux 5.8).
Result<void> set_namespace(FdRef target, std::uint64_t flags);
/// /proc/<pid>/ns/<proc_name>, by the host's procfs.
Result<UniqueFd> open_namespace(FdRef proc, pid_t pid, std::string_view proc_name);
Result<NamespaceId> namespace_id(FdRef name_space);
/// CLONE_NEW… of an nsfs descriptor (NS_GET_NSTYPE); anything else is ENOTTY.
Result<std::uint64_t> namespace_type(FdRef name_space);
/// The namespace that a PID or user namespace is nested in (NS_GET_PARENT); EPERM when that one is
/// not below the caller's own.
Result<UniqueFd> parent_namespace(FdRef name_space);
/// The number that process `pid` (the caller's number) has in a PID namespace. ESRCH: it is not in
/// there, or gone; ENOTTY: the kernel cannot tell (before 6.11).
Result<pid_t> number_in(FdRef pid_namespace, pid_t pid);
/// The user namespace that a namespace of any other type belongs to (NS_GET_USERNS); EPERM when
/// that one is not below the caller's own.
Result<UniqueFd> owning_user_namespace(FdRef name_space);
/// Uid that owns a user namespace, in the caller's terms (NS_GET_OWNER_UID).
Result<uid_t> namespace_owner(FdRef user_namespace);

/// Whether the caller's user namespace is the first one, in which ids are what they are.
[[nodiscard]] bool in_initial_user_namespace();

Result<void> set_hostname(std::string_view name);
Result<void> set_domainname(std::string_view name);
/// The loopback interface of the caller's network namespace, up.
Result<void> bring_loopback_up();

}  // namespace covey::sys
