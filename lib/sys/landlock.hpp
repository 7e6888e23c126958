// Landlock: what the kernel has of it. Called by coveyd's host checks.
// Thread rule: any thread. Does not block.
#pragma once

#include "base/result.hpp"

namespace covey::sys {

/// The ABI's number, from 1; ENOSYS or EOPNOTSUPP where there is no Landlock or it is off.
Result<int> landlock_abi();

}  // namespace covey::sys
