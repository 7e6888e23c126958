// Where coveyd has host ids for user namespaces from. Used by its command line and the engine.
// Thread rule: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace covey::daemon {

struct IdRange {
    std::uint32_t first = 0, size = 0;
};

struct IdSource {
    /// Of uids and of gids, for this daemon alone.
    std::optional<IdRange> range;
    /// Without: covey's entries in these (subuid(5), subgid(5)).
    std::string subuid = "/etc/subuid", subgid = "/etc/subgid";
};

}  // namespace covey::daemon
