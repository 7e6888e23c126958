#include "sys/landlock.hpp"

#include <cerrno>

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace covey::sys {

Result<int> landlock_abi() {
    const auto abi =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 0) return Errno{errno};
    return static_cast<int>(abi);
}

}  // namespace covey::sys
