#include "sys/landlock.hpp"

#include "base/unique_fd.hpp"

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

namespace {

/// struct landlock_ruleset_attr as ABI 6 has it.
struct RulesetAttributes {
    std::uint64_t handled_access_fs = 0, handled_access_net = 0, scoped = 0;
};

}  // namespace

Result<void> restrict_scope(std::uint64_t scoped) {
    const RulesetAttributes attributes{0, 0, scoped};
    const auto ruleset = ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0) return Errno{errno};
    const UniqueFd file{static_cast<int>(ruleset)};
    if (::syscall(SYS_landlock_restrict_self, file.get(), 0) < 0) return Errno{errno};
    return {};
}

}  // namespace covey::sys
