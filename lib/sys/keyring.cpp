#include "sys/keyring.hpp"

#include "sys/last_errno.hpp"

#include <cerrno>

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace covey::sys {
namespace {

constexpr uid_t kSame = ~uid_t{0};
constexpr gid_t kSameGroup = ~gid_t{0};

}  // namespace

Result<KeySerial> join_new_session_keyring() {
    const long serial = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
    if (serial < 0) return last_errno();
    return static_cast<KeySerial>(serial);
}

Result<KeySerial> join_new_session_keyring_of(uid_t user) {
    const uid_t own = ::getuid();
    // The real id alone: rights and dumpability go by the effective one (credentials(7)).
    if (::setresuid(user, kSame, kSame) < 0) return last_errno();
    auto joined = join_new_session_keyring();
    if (::setresuid(own, kSame, kSame) < 0) return last_errno();
    return joined;
}

Result<void> set_key_permissions(KeySerial key, std::uint32_t permissions) {
    if (::syscall(SYS_keyctl, KEYCTL_SETPERM, key, permissions) < 0) return last_errno();
    return {};
}

Result<void> set_key_owner(KeySerial key, uid_t user) {
    if (::syscall(SYS_keyctl, KEYCTL_CHOWN, key, user, kSameGroup) < 0) return last_errno();
    return {};
}

}  // namespace covey::sys
