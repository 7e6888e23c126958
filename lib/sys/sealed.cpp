#include "sys/sealed.hpp"

#include "sys/file.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3
#endif

namespace covey::sys {

Result<UniqueFd> memory_file(const char* name) {
    UniqueFd file{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (!file) return Errno{errno};
    return file;
}

Result<UniqueFd> sealed_copy(FdRef file, std::string_view name) {
    const std::string title{name};
    int fd = ::memfd_create(title.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL)  // before 6.3 every memfd is executable
        fd = ::memfd_create(title.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return Errno{errno};
    UniqueFd copy{fd};
    const auto status = stat_fd(file);
    if (!status) return Errno{status.error()};
    off_t offset = 0;
    while (offset < status.value().st_size) {
        const auto left = static_cast<std::size_t>(status.value().st_size - offset);
        const auto sent = ::sendfile(copy.get(), file.get(), &offset, left);
        if (sent == 0) return Errno{EIO};
        if (sent < 0 && errno != EINTR) return Errno{errno};
    }
    if (const auto sealed = seal(copy); !sealed) return Errno{sealed.error()};
    return copy;
}

Result<void> seal(FdRef memfd) {
    // The kernel waits 150 ms for whoever holds a page of it (reclaim, DAMON, a splice), then
    // answers EBUSY: on a busy machine they come one after the other.
    constexpr int kMostTries = 10;
    for (int left = kMostTries;; --left) {
        if (::fcntl(memfd.get(), F_ADD_SEALS,
                    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
            return {};
        if (errno != EBUSY || left == 1) return Errno{errno};
    }
}

}  // namespace covey::sys
