#include "sys/known_file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace covey::sys {

Result<FileId> known_file(FdRef fd) {
    struct statx status {};
    if (::statx(fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &status) < 0)
        return Errno{errno};
    return FileId{::makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino};
}

}  // namespace covey::sys
