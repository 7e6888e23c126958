#include "launch/root_owner.hpp"

#include "covey/error.hpp"
#include "spec/id_mappings.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <sys/stat.h>

namespace covey::launch {
namespace {

/// The permission bits (rwx) that a process with these ids and no capability has.
mode_t bits_for(const struct stat& status, uid_t uid, gid_t gid) {
    constexpr unsigned kOwner = 6, kGroup = 3;
    if (status.st_uid == uid) return status.st_mode >> kOwner & 7U;
    if (status.st_gid == gid) return status.st_mode >> kGroup & 7U;
    return status.st_mode & 7U;
}

}  // namespace

void check_root_owner(plan::LaunchPlan& plan, FdRef root) {
    const auto uid = spec::host_id(plan.uid_mappings, 0), gid = spec::host_id(plan.gid_mappings, 0);
    if (!uid || !gid) return;
    const auto& path = plan.root.host_path;
    const auto status = sys::stat_fd(root).or_throw("stat", path);
    // capabilities(7): in a user namespace they count for files whose owner and group it maps.
    if (spec::maps_host_id(plan.uid_mappings, status.st_uid) &&
        spec::maps_host_id(plan.gid_mappings, status.st_gid))
        return;
    constexpr mode_t kWrite = 2, kEnter = 1;
    const auto bits = bits_for(status, *uid, *gid);
    const auto what = fmt::format(
        "root filesystem {} belongs to {}:{}, which the sandbox's user namespace does not map",
        path, status.st_uid, status.st_gid);
    if ((bits & kEnter) == 0)
        throw Error(Code::failed_precondition,
                    what + ": the container's root may not enter the folder")
            .with_fix(
                fmt::format("chown -R {}:{} it, or let others enter it (chmod o+x)", *uid, *gid));
    if ((bits & kWrite) == 0)
        plan.warnings.push_back(fmt::format(
            "{}: the container's root sees files of nobody and cannot write there; chown -R {}:{} "
            "it if it shall",
            what, *uid, *gid));
}

}  // namespace covey::launch
