// Landlock domains that hold back nothing but what goes to processes outside of them. Called by the
// launcher and coveyd's host checks. Thread rule: restrict_scope only in single-threaded programs;
// the rest from any thread. Does not block.
#pragma once

#include "base/result.hpp"

#include <cstdint>

namespace covey::sys {

/// The ABI's number, from 1; ENOSYS or EOPNOTSUPP where there is no Landlock or it is off.
Result<int> landlock_abi();

/// From this ABI (Linux 6.12) a domain can be made that leaves files and mounts alone.
inline constexpr int kLandlockScopeAbi = 6;

/// LANDLOCK_SCOPE_…, which Debian 12's headers lack. ptrace(2) and all that asks for the same right
/// is held back by every domain.
inline constexpr std::uint64_t kScopeAbstractSocket = 1, kScopeSignal = 2;

/// The caller and its children to come, for good, in a new domain. Takes CAP_SYS_ADMIN or
/// no_new_privs. `scoped` must not be 0. EINVAL or ENOMSG on older kernels.
Result<void> restrict_scope(std::uint64_t scoped);

}  // namespace covey::sys
