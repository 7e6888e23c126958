// What the kernel answered to the call just made, for those who call it: sources of lib/sys alone.
// Thread rule: safe from any thread. Never blocks.
#pragma once

#include "base/result.hpp"

#include <cerrno>

namespace covey::sys {

/// To be asked at once: whatever is called in between may change it.
inline Errno last_errno() {
    return Errno{errno};
}

/// Of a call that answers -1 when it fails, and else says nothing.
inline Result<void> checked(long result) {
    if (result < 0) return last_errno();
    return {};
}

}  // namespace covey::sys
