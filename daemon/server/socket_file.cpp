#include "server/socket_file.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace covey::daemon {
namespace {

void remove_stale(FdRef folder, const std::string& name, const std::string& path) {
    const auto status = sys::stat_at(folder, name);
    if (status.error() == ENOENT) return;
    if (!status) throw Error::from_errno(status.error(), "look at", path);
    if (!S_ISSOCK(status.value().st_mode))
        throw Error(Code::already_exists, fmt::format("{} is there and is no socket", path))
            .with_fix("name another path with --socket, or remove that file");
    const auto connection = sys::stream_connect_at(folder, name);
    if (connection || connection.error() == EAGAIN)
        throw Error(Code::failed_precondition, fmt::format("a daemon listens on {} already", path))
            .with_fix("stop it, or give this one a --socket and a --root of its own");
    sys::unlink_at(folder, name).or_throw("remove the stale socket", path);
}

}  // namespace

SocketFile::SocketFile(const std::string& path, std::optional<gid_t> group) : path_(path) {
    const auto slash = path.rfind('/');
    name_ = path.substr(slash == std::string::npos ? 0 : slash + 1);
    if (!path.starts_with('/') || name_.empty() || name_ == "." || name_ == "..")
        throw Error(Code::invalid_argument,
                    fmt::format("'{}' is no absolute path of a socket", path))
            .with_fix("use a path such as /run/covey/covey.sock");
    const std::string folder = slash == 0 ? "/" : path.substr(0, slash);
    sys::mkdir_all_at(sys::kCwd, folder, 0700).or_throw("create the folder", folder);
    folder_ = sys::open_dir(folder).or_throw("open the folder", folder);
    remove_stale(folder_, name_, path);
    // The umask keeps everybody else out until the group and the mode are set.
    listener_ = sys::stream_listen_at(folder_, name_).or_throw("listen on", path);
    sys::set_nonblocking(listener_, true).or_throw("listen on", path);
    (void)sys::refuse_descriptors(listener_);  // before Linux 6.16 they are closed, unread
    if (::fchownat(folder_.get(), name_.c_str(), static_cast<uid_t>(-1),
                   group.value_or(static_cast<gid_t>(-1)), 0) < 0)
        throw Error::from_errno(errno, "give to the group covey", path);
    if (::fchmodat(folder_.get(), name_.c_str(), 0660, 0) < 0)
        throw Error::from_errno(errno, "set the mode of", path);
    share_folder(group);
}

/// A folder that only we may enter (the default /run/covey) lets the group through, not look
/// around.
void SocketFile::share_folder(std::optional<gid_t> group) const {
    struct stat status {};
    if (!group || ::fstat(folder_.get(), &status) < 0) return;
    if (status.st_uid != ::geteuid() || (status.st_mode & 0777) != 0700) return;
    const std::string through = sys::fd_path(folder_);
    if (::fchownat(AT_FDCWD, through.c_str(), static_cast<uid_t>(-1), *group, 0) < 0 ||
        ::fchmodat(AT_FDCWD, through.c_str(), 0710, 0) < 0)
        throw Error::from_errno(errno, "let the group covey into the folder of", path_);
}

void SocketFile::remove() const noexcept {
    [[maybe_unused]] const auto removed = sys::unlink_at(folder_, name_);
}

}  // namespace covey::daemon
