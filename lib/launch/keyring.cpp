#include "launch/keyring.hpp"

#include "covey/error.hpp"
#include "sys/keyring.hpp"

#include <fmt/format.h>

#include <cerrno>

#include <unistd.h>

namespace covey::launch {
namespace {

/// A user of the host that nobody is: ids from 2^31 up are in no range that a distribution gives
/// out (systemd's UIDS-GIDS: "HIC SVNT LEONES"). One for each process that asks, so that no other
/// container's keys are on its account.
uid_t spare_user() {
    constexpr uid_t kFirst = 0x8000'0000U;
    return kFirst + static_cast<uid_t>(::getpid());
}

Error no_keyring(int error) {
    if (error == EDQUOT)
        return Error(Code::resource_exhausted,
                     fmt::format("make a session keyring: the account of keys of uid {} is full "
                                 "(EDQUOT)",
                                 ::getuid()))
            .with_fix(
                "/proc/key-users shows it: end who fills it, or raise kernel.keys.maxkeys and "
                "kernel.keys.maxbytes");
    auto result = Error::from_errno(error, "make", "a session keyring");
    if (error == EPERM || error == EACCES)
        result.set_fix(
            "a seccomp profile that Covey itself runs under refuses keyctl(2): allow it there");
    return result;
}

/// Nothing: this kernel has no keyrings.
std::optional<sys::KeySerial> join_new() {
    auto joined = sys::join_new_session_keyring();
    // A full account must not stop a launch, and is no reason to stay in the caller's keyring.
    if (!joined && joined.error() == EDQUOT && ::geteuid() == 0)
        if (auto spare = sys::join_new_session_keyring_of(spare_user())) joined = std::move(spare);
    if (joined) return joined.value();
    if (joined.error() == ENOSYS) return std::nullopt;
    throw no_keyring(joined.error());
}

}  // namespace

void leave_session_keyring() {
    if (const auto keyring = join_new())
        sys::set_key_permissions(*keyring, sys::kForNobody).or_throw("close", "a session keyring");
}

void use_own_keyring(std::optional<uid_t> owner) {
    const auto keyring = join_new();
    if (!keyring) return;
    // Not even to be seen by others of an equal user: the kernel's default is.
    sys::set_key_permissions(*keyring, sys::kForPossessor)
        .or_throw("set rights of", "a session keyring");
    // Who possesses it may do all with it but change its rights and owner: so much is missing where
    // the account of the namespace's root is full, or where Covey, without privilege on the host,
    // is that root already or may not give anything away.
    if (owner) (void)sys::set_key_owner(*keyring, *owner);
}

}  // namespace covey::launch
