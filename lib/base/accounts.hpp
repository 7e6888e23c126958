// What the kernel counts, for each user of the host or for all of it, and refuses when it is full:
// which account an errno speaks of, and what can be done. A neighbour may have filled it, so its
// name is what the reader needs. One table: docs/SECURITY.md explains each row.
// Thread rule: constant data, pure functions. Does not block.
#pragma once

#include <string_view>

namespace covey {

struct Account {
    std::string_view name;  // "inotify instances of the host user (fs.inotify.max_user_instances)"
    std::string_view fix;
};

/// The account that `operation` (as given to Error::from_errno) found full; null when the errno
/// speaks of none.
[[nodiscard]] const Account* full_account(int error, std::string_view operation) noexcept;

}  // namespace covey
