#include "launch/stream_file.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace covey::launch {
namespace {

constexpr mode_t kLogMode = 0600;
constexpr int kMostTries = 8;

/// Files of these are switches of the kernel, which look at who opened them (cgroup.procs) or at
/// nobody: they are not given to a container, whoever names them.
constexpr std::array<std::uint64_t, 17> kKernelsOwn{
    PROC_SUPER_MAGIC, SYSFS_MAGIC,    CGROUP_SUPER_MAGIC,   CGROUP2_SUPER_MAGIC,
    DEBUGFS_MAGIC,    TRACEFS_MAGIC,  SECURITYFS_MAGIC,     SELINUX_MAGIC,
    SMACK_MAGIC,      BPF_FS_MAGIC,   NSFS_MAGIC,           EFIVARFS_MAGIC,
    PSTOREFS_MAGIC,   BINFMTFS_MAGIC, RDTGROUP_SUPER_MAGIC,
    0x62656570,  // configfs
    0x65735543,  // fusectl
};

[[noreturn]] void refuse_stream(const std::string& path, const char* stream, std::string_view what,
                                std::string fix) {
    throw Error(Code::invalid_argument, fmt::format("{} {} {}", stream, path, what))
        .with_fix(std::move(fix));
}

[[noreturn]] void refuse_open(int error, const std::string& path, const char* stream) {
    if (error != ELOOP) throw Error::from_errno(error, fmt::format("open {}", stream), path);
    // A hint alone: who gives that path is asked the same again.
    std::array<char, PATH_MAX> real{};
    const bool known = ::realpath(path.c_str(), real.data()) != nullptr;
    refuse_stream(path, stream, "has a symlink on its way (ELOOP)",
                  known ? fmt::format("give the real path: {}", real.data())
                        : "give the real path, as realpath(1) says it");
}

/// Its node is on the file systems of /dev and /dev/pts themselves, whatever path leads there: what
/// is mounted below, /dev/shm, may be a container's volume.
bool is_in_hosts_dev(const struct stat& node) {
    const auto is_of = [&](const char* folder) {
        const auto status = sys::stat_at(sys::kCwd, folder);
        return status && status.value().st_dev == node.st_dev;
    };
    return is_of("/dev") || is_of("/dev/pts");
}

/// Data sources and sinks that hold nothing of the host's, wherever their node is; a terminal only
/// in the host's own /dev: a container may make nodes in its volumes.
bool is_stream_device(const struct stat& node) {
    constexpr unsigned kMemory = 1, kTty = 4, kConsole = 5, kFirstPty = 136, kLastPty = 143;
    constexpr std::array<unsigned, 5> kHarmless{3, 5, 7, 8, 9};  // null, zero, full, (u)random
    const unsigned kind = major(node.st_rdev), number = minor(node.st_rdev);
    if (kind == kMemory)
        return std::find(kHarmless.begin(), kHarmless.end(), number) != kHarmless.end();
    const bool terminal = kind == kTty || (kind == kConsole && number == 1) ||
                          (kind >= kFirstPty && kind <= kLastPty);
    return terminal && is_in_hosts_dev(node);
}

void require_file(FdRef place, const std::string& path, const char* stream) {
    const auto status = sys::stat_fd(place).or_throw("stat", path);
    const auto other = "name a regular file, or fifo: and a FIFO";
    switch (status.st_mode & S_IFMT) {
        case S_IFREG:
            break;
        case S_IFDIR:
            refuse_stream(path, stream, "is a folder", "name a file in it");
        case S_IFIFO:
            refuse_stream(path, stream, "is a FIFO", "say fifo:" + path);
        case S_IFSOCK:
            refuse_stream(path, stream, "is a socket", other);
        case S_IFCHR:
            if (is_stream_device(status)) return;
            refuse_stream(
                path, stream, "is a device that is no stream",
                "of devices null, zero, full, random, urandom and terminals in /dev are; one "
                "for the container's program to open goes into the configuration's devices");
        default:
            refuse_stream(path, stream, "is a block device", other);
    }
    const auto magic = sys::filesystem_magic(place).or_throw("statfs", path);
    if (std::find(kKernelsOwn.begin(), kKernelsOwn.end(), magic) != kKernelsOwn.end())
        refuse_stream(path, stream, "is a file of the kernel's", other);
}

}  // namespace

UniqueFd find_stream(const std::string& path, const char* stream) {
    auto place = sys::open_real(path, O_PATH);
    if (!place) refuse_open(place.error(), path, stream);
    return std::move(place).value();
}

UniqueFd open_stream_file(const std::string& path, int flags, const char* stream) {
    // Looked at before it is opened, for opening alone does something to many a device. What is
    // made is made under its own name, and found by it the next time round if somebody else did.
    for (int tries = 0; (flags & O_CREAT) != 0 && tries < kMostTries; ++tries) {
        auto made = sys::open_real(path, static_cast<std::uint64_t>(flags | O_EXCL), kLogMode);
        if (made) {
            require_file(made.value(), path, stream);
            return std::move(made).value();
        }
        if (made.error() != EEXIST && made.error() != EISDIR)
            refuse_open(made.error(), path, stream);
        if (const auto there = sys::open_real(path, O_PATH); there || there.error() != ENOENT)
            break;
    }
    const auto place = find_stream(path, stream);
    require_file(place, path, stream);
    auto file = sys::open(sys::fd_path(place), (flags & ~O_CREAT) | O_NONBLOCK)
                    .or_throw(fmt::format("open {}", stream), path);
    sys::set_nonblocking(file, false).or_throw("fcntl", path);
    return file;
}

UniqueFd take_stream(FdRef fd, const char* stream) {
    const auto status = sys::stat_fd(fd).or_throw("stat", stream);
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (!S_ISDIR(status.st_mode) && (flags & O_PATH) == 0)
        return sys::duplicate(fd).or_throw("dup", stream);
    throw Error(Code::invalid_argument,
                fmt::format("{} is a folder or an O_PATH descriptor, by which the program would "
                            "reach the host's files",
                            stream))
        .with_fix("redirect it from or to a file, a pipe or /dev/null");
}

}  // namespace covey::launch
