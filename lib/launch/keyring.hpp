// Whose session keyring a process of a container is in (decision 017): one of its own, without a
// name, made with the host's privileges. Called by launcher, exec launcher and covey-shim. Thread
// rule: single-threaded. Does not block. A kernel without keyrings (ENOSYS) is no error, as runc
// has it.
#pragma once

#include <optional>

#include <sys/types.h>

namespace covey::launch {

enum class SessionKeyring {
    own,
    callers,  // covey-runtime's --no-new-keyring
};

/// Leaves the caller's session keyring for one that is empty and stays so: nobody may add to it.
/// For processes that shall hold no key, and for what they fork until it has a keyring of its own.
/// Throws as use_own_keyring does.
void leave_session_keyring();
/// A new session keyring for the program that will be executed. To be called as the host has the
/// caller, before it enters a user namespace: the account of keys of the namespace's root is shared
/// with every container that maps the same users, and any of them can fill it. `owner`: the host's
/// id of the namespace's root, to whom it is handed over. Throws resource_exhausted, naming the
/// account.
void use_own_keyring(std::optional<uid_t> owner);

}  // namespace covey::launch
