// Files and folders by descriptor: open, read, write, rename, lock. Everything is close-on-exec.
// Called by every floor above. Thread rule: safe from any thread. Blocks as the filesystem does.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

namespace covey::sys {

/// `openat` from here; paths relative to it are relative to the working directory.
inline constexpr FdRef kCwd{-100};  // AT_FDCWD

/// open(2) with O_CLOEXEC added; `mode` counts with O_CREAT.
Result<UniqueFd> open_at(FdRef dir, std::string_view path, int flags, mode_t mode = 0);
inline Result<UniqueFd> open(std::string_view path, int flags, mode_t mode = 0) {
    return open_at(kCwd, path, flags, mode);
}
/// A folder to look things up in (O_PATH|O_DIRECTORY).
Result<UniqueFd> open_dir(std::string_view path);
Result<UniqueFd> open_dir_at(FdRef dir, std::string_view path);
/// A second descriptor of the same open file, close-on-exec, from 3 up.
Result<UniqueFd> duplicate(FdRef fd);
Result<void> set_cloexec(FdRef fd, bool on);
Result<void> set_nonblocking(FdRef fd, bool on);

/// The whole file, at most `limit` bytes; longer: EFBIG. Never blocks on a FIFO or device:
/// anything but a regular file is EINVAL (kernel files count as regular).
Result<std::string> read_file_at(FdRef dir, std::string_view path, std::size_t limit);
inline Result<std::string> read_file(std::string_view path, std::size_t limit = 1U << 20U) {
    return read_file_at(kCwd, path, limit);
}
/// What is left of an open descriptor, at most `limit` bytes; longer: EFBIG.
Result<std::string> read_all(FdRef fd, std::size_t limit);
/// Every byte, retrying short writes and EINTR.
Result<void> write_all(FdRef fd, std::string_view data);
/// One write(2) of the whole text to an existing (kernel) file: O_WRONLY, no O_CREAT, no O_TRUNC.
Result<void> write_existing_at(FdRef dir, std::string_view path, std::string_view data);
inline Result<void> write_existing(std::string_view path, std::string_view data) {
    return write_existing_at(kCwd, path, data);
}
/// Written to a temporary name, then renamed: readers see the old or the new text, never half.
/// `durable` adds fsync(2) (not needed on tmpfs).
enum class Durable { no, yes };
Result<void> replace_file_at(FdRef dir, std::string_view name, std::string_view data, mode_t mode,
                             Durable durable = Durable::no);

Result<void> mkdir_at(FdRef dir, std::string_view path, mode_t mode);
/// Each missing component of a path relative to `dir`; those there are left as they are. Follows
/// symlinks: for folders of our own and cgroups only, never inside a rootfs (see sys/path.hpp).
Result<void> mkdir_all_at(FdRef dir, std::string_view path, mode_t mode);
Result<void> unlink_at(FdRef dir, std::string_view path);
Result<void> rmdir_at(FdRef dir, std::string_view path);
/// A folder and all below it, never crossing a mount, never following a symlink. ENOENT is success.
Result<void> remove_tree_at(FdRef dir, std::string_view path);
Result<void> mkfifo_at(FdRef dir, std::string_view path, mode_t mode);

Result<struct stat> stat_fd(FdRef fd);
/// Does not follow a symlink in the last component.
Result<struct stat> stat_at(FdRef dir, std::string_view path);
/// f_type of statfs(2), e.g. CGROUP2_SUPER_MAGIC.
Result<std::uint64_t> filesystem_magic(FdRef fd);
/// The same of what is on top at `path`; follows symlinks.
Result<std::uint64_t> filesystem_magic_of(const std::string& path);
Result<std::string> readlink_at(FdRef dir, std::string_view path);
/// Names in the folder but "." and "..", sorted.
Result<std::vector<std::string>> list_dir(FdRef dir);

/// flock(2) LOCK_EX|LOCK_NB; EWOULDBLOCK when another has it. Held until the descriptor is closed.
Result<void> try_lock(FdRef fd);
/// The same, but waits for it; EWOULDBLOCK when the time is over. Uses SIGALRM and ITIMER_REAL:
/// single-threaded programs only.
Result<void> lock_within(FdRef fd, int seconds);
Result<Pipe> make_pipe();

/// "/proc/self/fd/N", for the few calls that take no descriptor.
[[nodiscard]] std::string fd_path(FdRef fd);

}  // namespace covey::sys
