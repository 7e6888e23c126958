#include "store/state_dir.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/own_file.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace covey::store {
namespace {

void require_ours(FdRef folder, const std::string& path) {
    const auto status = sys::stat_fd(folder).or_throw("stat", path);
    if (status.st_uid != ::geteuid())
        throw Error(Code::permission_denied, "state folder " + path + " belongs to uid " +
                                                 std::to_string(status.st_uid) + ", not to uid " +
                                                 std::to_string(::geteuid()))
            .with_fix("chown " + std::to_string(::geteuid()) + " " + path +
                      ", or choose another folder with --root");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw Error(Code::permission_denied,
                    "state folder " + path + " can be written by its group or by everybody")
            .with_fix("chmod 0700 " + path + ", or choose another folder with --root");
}

}  // namespace

StateDir::StateDir(std::string path, UniqueFd folder)
    : path_(std::move(path)), folder_(std::move(folder)) {
}

StateDir StateDir::open(const std::string& path) {
    if (path.empty() || path.front() != '/')
        throw Error(Code::invalid_argument, "state folder '" + path + "' is not an absolute path")
            .with_fix("name it with a leading /");
    std::string clean = path;
    while (clean.size() > 1 && clean.back() == '/')
        clean.pop_back();
    auto made = sys::mkdir_at(sys::kCwd, clean, 0700);
    if (const auto slash = clean.rfind('/'); !made && made.error() == ENOENT && slash > 0) {
        sys::mkdir_all_at(sys::kCwd, clean.substr(0, slash), 0755).or_throw("create", clean);
        made = sys::mkdir_at(sys::kCwd, clean, 0700);
    }
    if (!made && made.error() != EEXIST) made.or_throw("create", clean);
    // O_NOFOLLOW: a link could be turned to another folder between two starts.
    auto folder = sys::open_at(sys::kCwd, clean, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!folder && (folder.error() == ENOTDIR || folder.error() == ELOOP))
        throw Error(Code::permission_denied, "state folder " + clean + " is not a folder")
            .with_fix("remove it, or choose another folder with --root");
    auto fd = std::move(folder).or_throw("open", clean);
    require_ours(fd, clean);
    return StateDir{std::move(clean), std::move(fd)};
}

void StateDir::lock() {
    auto opened = sys::open_own_file_at(folder_, "lock", O_RDWR | O_CREAT, 0600);
    if (!opened && sys::is_no_regular_file(opened.error()))
        throw Error(Code::failed_precondition, path_ + "/lock is " +
                                                   std::string{sys::kind_of_file(folder_, "lock")} +
                                                   ", not Covey's lock file")
            .with_fix("remove it: no coveyd holds it");
    auto file = std::move(opened).or_throw("open", path_ + "/lock");
    const auto locked = sys::try_lock(file);
    if (!locked && locked.error() == EWOULDBLOCK)
        throw Error(Code::failed_precondition,
                    "state folder " + path_ + " is in use by another process")
            .with_fix("stop the other coveyd, or give this one its own --root and --socket");
    locked.or_throw("lock", path_ + "/lock");
    lock_ = std::move(file);
}

UniqueFd StateDir::folder(const std::string& name) const {
    sys::mkdir_all_at(folder_, name, 0700).or_throw("create", path_ + "/" + name);
    return sys::open_dir_at(folder_, name).or_throw("open", path_ + "/" + name);
}

}  // namespace covey::store
