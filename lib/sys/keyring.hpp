// Session keyrings (keyrings(7)) by keyctl(2). A key counts against the account of one user of the
// host, which all containers of an equal user share: 200 keys and 20,000 bytes, for the host's root
// a million and 25 MB (/proc/key-users, kernel.keys.*). Called by launch and shim. Thread rule:
// single-threaded programs (a keyring is joined, and a user id changed, for one thread alone). Does
// not block.
#pragma once

#include "base/result.hpp"

#include <cstdint>

#include <sys/types.h>

namespace covey::sys {

using KeySerial = std::int32_t;

/// All rights for who possesses the key (whose session keyring it is, or is linked below), none by
/// user or group.
inline constexpr std::uint32_t kForPossessor = 0x3f000000;
/// Nobody may look into the key, add to it or change these rights again.
inline constexpr std::uint32_t kForNobody = 0;

/// Makes a keyring without a name the caller's session keyring, in place of the one it has; what is
/// forked and executed inherits it. Whatever has the kernel's own word for it ("_ses") as its name
/// is another. ENOSYS: no keyrings in this kernel; EDQUOT: the account of the real user is full.
Result<KeySerial> join_new_session_keyring();
/// The same on the account of another user: the caller's real user for the time of the call. Needs
/// CAP_SETUID; EINVAL where the caller's user namespace has no such user.
Result<KeySerial> join_new_session_keyring_of(uid_t user);
/// KEYCTL_SETPERM: of a key of the caller's own user (or with CAP_SYS_ADMIN).
Result<void> set_key_permissions(KeySerial key, std::uint32_t permissions);
/// KEYCTL_CHOWN, the group left as it is. Needs CAP_SYS_ADMIN; EDQUOT: the new user's account is
/// full.
Result<void> set_key_owner(KeySerial key, uid_t user);

}  // namespace covey::sys
