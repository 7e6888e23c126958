// Who may speak to coveyd: root, the daemon's own user, and the members of the group `covey`.
// Called by the listener for each connection. Thread rule: any thread. Reads /etc/group; does not
// wait.
#pragma once

#include "api/http.hpp"
#include "base/unique_fd.hpp"
#include "covey/error.hpp"

#include <optional>

#include <sys/types.h>

namespace covey::daemon {

/// The gid of the group `covey` in /etc/group. Read from the file, not through NSS, which would
/// load foreign code into the daemon.
[[nodiscard]] std::optional<gid_t> covey_group();

/// As of connect(2). Throws from_errno.
[[nodiscard]] Peer peer_of(FdRef socket);

/// permission_denied for a peer that is neither root, nor our own user, nor a member of `group`
/// (by its primary or a supplementary group). The socket's mode says the same; this is the second
/// lock.
[[nodiscard]] std::optional<Error> refuse_stranger(FdRef socket, const Peer& peer,
                                                   std::optional<gid_t> group);

}  // namespace covey::daemon
