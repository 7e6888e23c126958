#include "sys/own_file.hpp"

#include "sys/file.hpp"

#include <cerrno>

#include <fcntl.h>

namespace covey::sys {
namespace {

int refusal(mode_t mode) noexcept {
    if (S_ISREG(mode)) return 0;
    if (S_ISLNK(mode)) return ELOOP;
    return S_ISDIR(mode) ? EISDIR : EINVAL;
}

}  // namespace

Result<UniqueFd> open_own_file_at(FdRef dir, std::string_view name, int flags, mode_t mode) {
    // O_PATH opens nothing: no driver and no other end of a FIFO learns of it.
    const auto place = open_at(dir, name, O_PATH | O_NOFOLLOW);
    if (!place) {
        if (place.error() != ENOENT || (flags & O_CREAT) == 0) return Errno{place.error()};
        return open_at(dir, name, flags | O_EXCL | O_NOFOLLOW | O_NONBLOCK, mode);
    }
    const auto status = stat_fd(place.value());
    if (!status) return Errno{status.error()};
    if (const int error = refusal(status.value().st_mode); error != 0) return Errno{error};
    return open_at(kCwd, fd_path(place.value()), (flags & ~(O_CREAT | O_EXCL)) | O_NONBLOCK);
}

Result<std::string> read_own_file_at(FdRef dir, std::string_view name, std::size_t limit) {
    const auto file = open_own_file_at(dir, name, O_RDONLY);
    if (!file) return Errno{file.error()};
    return read_all(file.value(), limit);
}

bool is_no_regular_file(int error) noexcept {
    return error == ELOOP || error == EISDIR || error == EINVAL;
}

std::string_view kind_of_file(FdRef dir, std::string_view name) noexcept {
    const auto status = stat_at(dir, name);
    if (!status) return "not there";
    const auto mode = status.value().st_mode;
    if (S_ISREG(mode)) return "a regular file";
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISLNK(mode)) return "a symlink";
    if (S_ISFIFO(mode)) return "a FIFO";
    return S_ISSOCK(mode) ? "a socket" : "a device";
}

}  // namespace covey::sys
