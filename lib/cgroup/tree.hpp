// Inside lib/cgroup only: directories of one hierarchy, by descriptor. A hierarchy is named by its
// mount point, a group in it by Covey's path ("/covey/web.pod/nginx.ctr").
// Nothing here follows a symlink, "..", or a mount below the mount point.
// Thread rule: safe from any thread. Blocks as cgroupfs does; remove_group retries.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::cgroup {

/// Throws invalid_argument unless `path` is absolute, is not "/" and has no empty, "." or ".."
/// component, no control character, and no trailing slash.
void check_path(std::string_view path);

/// O_PATH descriptor of the group's directory. `path` has passed check_path.
Result<UniqueFd> open_group(const std::string& mount, std::string_view path);
/// Makes the directory and missing parents, and opens it. EEXIST when the last component is there.
Result<UniqueFd> make_group(const std::string& mount, std::string_view path);
/// The same, but a group that is there already is opened.
Result<UniqueFd> ensure_group(const std::string& mount, std::string_view path);
/// Removes the group and all below it, children first, with two descriptors however deep that is.
/// EBUSY is tried again for up to 100 ms, because an exiting task keeps its group for a moment; and
/// it ends after 5 s whatever is being made there (EAGAIN). Not there: success. Who must not wait
/// has less `patience`, and less for the `whole` walk.
Result<void> remove_group(const std::string& mount, std::string_view path,
                          std::chrono::milliseconds patience = std::chrono::milliseconds{100},
                          std::chrono::milliseconds whole = std::chrono::seconds{5});

/// openat2 of a group below `dir`: O_PATH, never out of the tree (Linux 5.6).
Result<UniqueFd> open_beneath(FdRef dir, std::string_view relative);

/// Host pids of the processes in the group and below that the caller can see (walk.hpp). Throws
/// resource_exhausted when there are more groups than a walk visits.
[[nodiscard]] std::vector<pid_t> processes_of(FdRef group);

/// The group below a container's in which its processes are ("/…/nginx.ctr/main"), if it is there:
/// what is directly below a container's group is Covey's to make.
[[nodiscard]] std::string seat_below(std::string_view path);
/// Of one of Covey's own containers, by its name.
[[nodiscard]] bool is_containers(std::string_view path) noexcept;
/// Limits of a group's hold for all below it, so they can stand above `main`. Not so v1's blkio,
/// net_cls and net_prio, which know the group alone.
[[nodiscard]] bool holds_for_all_below(std::string_view controller) noexcept;
/// Opens the seat in that hierarchy if it is there, else the group.
Result<UniqueFd> open_seat(const std::string& mount, std::string_view path);

/// Whether one is in the group or below. More groups than a walk visits are not taken for empty.
[[nodiscard]] bool has_processes(FdRef group);

/// The path of the parent: "/covey/web.pod" of "/covey/web.pod/nginx.ctr", "" of "/covey".
[[nodiscard]] std::string_view parent_path(std::string_view path) noexcept;

/// Text of a control file without the final newline; nothing when the file or group is not there.
/// Throws on any other error.
[[nodiscard]] std::optional<std::string> read_control(FdRef group, std::string_view file);
/// v1: a group without CPUs or memory nodes takes nobody (ENOSPC), so each missing value on the way
/// from the root down is copied from the group above. The group exists.
void inherit_cpuset(const std::string& mount, std::string_view path);

/// How much of a path /proc/<pid>/cgroup tells: the rest is missing without a word (PATH_MAX).
inline constexpr std::size_t kLongestTold = 4095;
/// The path that /proc/<pid>/cgroup has for a v1 controller, or for the v2 tree (""): a line is
/// "id:controllers:path", v2's is "0::path" (cgroups(7)).
[[nodiscard]] std::optional<std::string> cgroup_of(std::string_view text,
                                                   std::string_view controller);
/// Such a path as seen below a mount that shows only `root` ("": all) of its hierarchy; begins with
/// "/.." when it lies outside.
[[nodiscard]] std::string below_root(std::string_view path, std::string_view root);

/// The number after `key` in a flat keyed file ("populated 1\nfrozen 0\n").
[[nodiscard]] std::optional<std::uint64_t> keyed_number(std::string_view text,
                                                        std::string_view key);

/// The host lets this caller change nothing there (Forbidden).
[[nodiscard]] constexpr bool is_forbidden(int error) noexcept {
    return error == EROFS || error == EACCES || error == EPERM;
}

}  // namespace covey::cgroup
