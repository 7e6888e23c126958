#include "launch/copy_up.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

namespace covey::launch {
namespace {

constexpr int kDeepest = 128;  // an image cannot make us overflow our stack
constexpr mode_t kModeBits = 07777;

void copy_folder(FdRef from, FdRef to, int depth);

void copy_file(FdRef from, FdRef to, const std::string& name) {
    const auto source =
        sys::open_at(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).or_throw("open", name);
    const auto copy = sys::open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600)
                          .or_throw("create", name);
    constexpr std::size_t kChunk = 1U << 20U;
    ssize_t sent = 0;
    do
        sent = ::sendfile(copy.get(), source.get(), nullptr, kChunk);
    while (sent > 0 || (sent < 0 && errno == EINTR));
    if (sent < 0) throw Error::from_errno(errno, "copy", name);
}

void copy_entry(FdRef from, FdRef to, const std::string& name, int depth) {
    const auto status = sys::stat_at(from, name).or_throw("stat", name);
    const mode_t kind = status.st_mode & S_IFMT;
    if (kind == S_IFLNK) {
        const auto link = sys::readlink_at(from, name).or_throw("read symlink", name);
        if (::symlinkat(link.c_str(), to.get(), name.c_str()) < 0)
            throw Error::from_errno(errno, "make symlink", name);
    } else if (kind == S_IFDIR) {
        sys::mkdir_at(to, name, 0700).or_throw("make folder", name);
        const auto below =
            sys::open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).or_throw("open", name);
        const auto copy =
            sys::open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).or_throw("open", name);
        copy_folder(below, copy, depth + 1);
    } else if (kind == S_IFREG) {
        copy_file(from, to, name);
    } else if (::mknodat(to.get(), name.c_str(), kind | 0600, status.st_rdev) < 0) {
        throw Error::from_errno(errno, "make device", name);
    }
    if (::fchownat(to.get(), name.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        throw Error::from_errno(errno, "chown", name);
    // After chown, which clears the set-id bits; a symlink has no mode of its own.
    if (kind != S_IFLNK && ::fchmodat(to.get(), name.c_str(), status.st_mode & kModeBits, 0) < 0)
        throw Error::from_errno(errno, "chmod", name);
}

void copy_folder(FdRef from, FdRef to, int depth) {
    if (depth > kDeepest)
        throw Error(Code::invalid_spec, "tmpcopyup: folders nested deeper than 128");
    for (const auto& name : sys::list_dir(from).or_throw("list", "folder to copy up"))
        copy_entry(from, to, name, depth);
}

}  // namespace

void copy_up(FdRef place, FdRef mount) {
    const auto from =
        sys::open_at(place, ".", O_RDONLY | O_DIRECTORY).or_throw("open", "folder to copy up");
    copy_folder(from, mount, 0);
}

}  // namespace covey::launch
