// Where a group is: its path in each hierarchy. Covey's own groups have one path in all of them; an
// OCI runtime's container can be below its caller's cgroup, which may be another one in each v1
// hierarchy. Kept in covey-runtime's records, so plain data.
// Thread rule: values; resolve_path reads /proc/self/cgroup. Does not block.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace covey::cgroup {

struct Host;

struct Placement {
    /// In the identity hierarchy; begins with '/'.
    std::string path;
    /// v1 mount point → path, for those where it is not `path`.
    std::map<std::string, std::string> v1_paths;

    Placement() = default;
    // Not explicit: a path is a placement that is the same everywhere.
    Placement(std::string everywhere) : path(std::move(everywhere)) {}  // NOLINT
    Placement(const char* everywhere) : path(everywhere) {}             // NOLINT
    friend bool operator==(const Placement&, const Placement&) = default;

    [[nodiscard]] const std::string& in(const std::string& v1_mount) const;
    /// The group `name` below this one, in every hierarchy.
    [[nodiscard]] Placement below(std::string_view name) const;
};

/// `linux.cgroupsPath` as runc reads it without systemd. Absolute: below each hierarchy's mount.
/// Relative: below the caller's own cgroup in each v1 hierarchy, and in the v2 tree where it is a
/// hybrid host's and the container needs no controller of it; else beside it there (a v2 group that
/// has processes cannot pass controllers on to groups below). Empty: as if it were `id`. "." and
/// ".." are taken out as text: no path leads out of the tree. Throws invalid_argument.
enum class NeedsV2 { no, yes };
[[nodiscard]] Placement resolve_path(std::string_view cgroups_path, std::string_view id,
                                     const Host& host, NeedsV2 needs = NeedsV2::no);
/// The same with the text of /proc/self/cgroup passed in.
[[nodiscard]] Placement resolve_path_with(std::string_view cgroups_path, std::string_view id,
                                          const Host& host, std::string_view own_cgroups,
                                          NeedsV2 needs = NeedsV2::no);

}  // namespace covey::cgroup
