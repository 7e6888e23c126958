#include "base/fault.hpp"
#include "base/rollback.hpp"
#include "core/shim_process.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/mount.hpp"

#include <cerrno>

#include <fcntl.h>

namespace covey::core {
namespace {

bool is_namespace(const struct stat& status, const NamespaceFacts& facts) {
    return status.st_dev == facts.device && status.st_ino == facts.inode;
}

void pin(FdRef folder, pid_t pause, const std::string& type, const NamespaceFacts& facts) {
    fault_point("core.pin");
    if (const auto there = sys::stat_at(folder, type); there && is_namespace(there.value(), facts))
        return;
    const auto source = "/proc/" + std::to_string(pause) + "/ns/" + type;
    auto mount = sys::clone_tree(sys::kCwd, source, sys::Recursive::no);
    if (!mount && (mount.error() == ENOENT || mount.error() == ESRCH))
        throw Error::from_errno(mount.error(), "pin", source).with_code(Code::sandbox_gone);
    const auto tree = std::move(mount).or_throw("pin", source);
    // pause's number may be another process's by now.
    if (!is_namespace(sys::stat_fd(tree).or_throw("stat", source), facts))
        throw Error(Code::sandbox_gone, "pin " + source + ": it is another namespace now");
    (void)sys::open_at(folder, type, O_RDONLY | O_CREAT | O_NOFOLLOW, 0600)
        .or_throw("create pin", type);
    sys::attach_at(tree, folder, type).or_throw("mount pin", type);
}

}  // namespace

void pin_namespaces(SandboxFacts& facts, FdRef state_folder, const std::string& state_path) {
    if (const auto made = sys::mkdir_at(state_folder, "ns", 0700); !made && made.error() != EEXIST)
        made.or_throw("create", state_path + "/ns");
    const auto folder = sys::open_dir_at(state_folder, "ns").or_throw("open", state_path + "/ns");
    Rollback rollback;
    rollback.add([state_folder] { unpin_namespaces(state_folder); });
    for (const auto& [type, entry] : facts.namespaces)
        pin(folder, facts.pause_pid, type, entry);
    for (auto& [type, entry] : facts.namespaces)
        entry.path = state_path + "/ns/" + type;
    rollback.release();
}

void unpin_namespaces(FdRef state_folder) {
    const auto folder = sys::open_dir_at(state_folder, "ns");
    if (!folder && folder.error() == ENOENT) return;
    if (!folder) throw Error::from_errno(folder.error(), "open the folder of namespace pins");
    const auto names = sys::list_dir(folder.value()).or_throw("list the folder of namespace pins");
    for (const auto& name : names) {
        // Until it is no mount point (EINVAL): a crash may have left one pin over another.
        Result<void> detached;
        do
            detached = sys::detach_at(folder.value(), name);
        while (detached);
        if (detached.error() != EINVAL && detached.error() != ENOENT)
            detached.or_throw("unmount pin", name);
        sys::unlink_at(folder.value(), name).or_throw("remove pin", name);
    }
    sys::rmdir_at(state_folder, "ns").or_throw("remove the folder of namespace pins");
}

}  // namespace covey::core
