#include "sys/file.hpp"

#include "sys/last_errno.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace covey::sys {
namespace {

/// Repeats a call that a signal interrupted. Not for close(2).
template <typename Call>
auto no_eintr(Call call) {
    decltype(call()) result;
    do
        result = call();
    while (result < 0 && errno == EINTR);
    return result;
}

}  // namespace

Result<UniqueFd> open_at(FdRef dir, std::string_view path, int flags, mode_t mode) {
    const std::string name{path};
    const int fd =
        no_eintr([&] { return ::openat(dir.get(), name.c_str(), flags | O_CLOEXEC, mode); });
    if (fd < 0) return last_errno();
    return UniqueFd{fd};
}

Result<UniqueFd> open_dir(std::string_view path) {
    return open_dir_at(kCwd, path);
}

Result<UniqueFd> open_dir_at(FdRef dir, std::string_view path) {
    return open_at(dir, path, O_PATH | O_DIRECTORY);
}

Result<UniqueFd> duplicate(FdRef fd) {
    const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return last_errno();
    return UniqueFd{copy};
}

Result<void> set_cloexec(FdRef fd, bool on) {
    if (::fcntl(fd.get(), F_SETFD, on ? FD_CLOEXEC : 0) < 0) return last_errno();
    return {};
}

Result<void> set_nonblocking(FdRef fd, bool on) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0) return last_errno();
    const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted != flags && ::fcntl(fd.get(), F_SETFL, wanted) < 0) return last_errno();
    return {};
}

Result<std::string> read_all(FdRef fd, std::size_t limit) {
    std::string text;
    std::array<char, 16384> chunk{};
    while (true) {
        const auto got = no_eintr([&] { return ::read(fd.get(), chunk.data(), chunk.size()); });
        if (got < 0) return last_errno();
        if (got == 0) return text;
        text.append(chunk.data(), static_cast<std::size_t>(got));
        if (text.size() > limit) return Errno{EFBIG};
    }
}

Result<std::string> read_file_at(FdRef dir, std::string_view path, std::size_t limit) {
    // O_NONBLOCK: opening a FIFO or a device must not hang.
    auto file = open_at(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) return Errno{file.error()};
    const auto status = stat_fd(file.value());
    if (!status) return Errno{status.error()};
    if (S_ISDIR(status.value().st_mode)) return Errno{EISDIR};
    if (!S_ISREG(status.value().st_mode)) return Errno{EINVAL};
    return read_all(file.value(), limit);
}

Result<void> write_all(FdRef fd, std::string_view data) {
    while (!data.empty()) {
        const auto sent = no_eintr([&] { return ::write(fd.get(), data.data(), data.size()); });
        if (sent < 0) return last_errno();
        data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

Result<void> write_existing_at(FdRef dir, std::string_view path, std::string_view data) {
    auto file = open_at(dir, path, O_WRONLY | O_NOCTTY);
    if (!file) return Errno{file.error()};
    const auto sent =
        no_eintr([&] { return ::write(file.value().get(), data.data(), data.size()); });
    if (sent < 0) return last_errno();
    // A kernel file takes its text in one write or not at all.
    if (static_cast<std::size_t>(sent) != data.size()) return Errno{EIO};
    return {};
}

Result<void> replace_file_at(FdRef dir, std::string_view name, std::string_view data, mode_t mode,
                             Durable durable) {
    static std::atomic<unsigned> counter{0};
    const std::string target{name};
    const std::string temporary =
        target + ".tmp" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
    auto file = open_at(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (!file) return Errno{file.error()};
    auto written = write_all(file.value(), data);
    if (written && durable == Durable::yes && ::fsync(file.value().get()) < 0)
        written = last_errno();
    if (written && ::renameat(dir.get(), temporary.c_str(), dir.get(), target.c_str()) < 0)
        written = last_errno();
    if (!written) ::unlinkat(dir.get(), temporary.c_str(), 0);
    return written;
}

Result<void> mkdir_at(FdRef dir, std::string_view path, mode_t mode) {
    if (::mkdirat(dir.get(), std::string{path}.c_str(), mode) < 0) return last_errno();
    return {};
}

Result<void> mkdir_all_at(FdRef dir, std::string_view path, mode_t mode) {
    // Most of the time all but the last, or all, is there.
    const auto whole = mkdir_at(dir, path, mode);
    if (whole || whole.error() == EEXIST) return {};
    for (std::size_t end = path.find('/', 1); true; end = path.find('/', end + 1)) {
        const auto made = mkdir_at(dir, path.substr(0, end), mode);
        if (!made && made.error() != EEXIST) return made;
        if (end == std::string_view::npos) return {};
    }
}

Result<void> unlink_at(FdRef dir, std::string_view path) {
    if (::unlinkat(dir.get(), std::string{path}.c_str(), 0) < 0) return last_errno();
    return {};
}

Result<void> rmdir_at(FdRef dir, std::string_view path) {
    if (::unlinkat(dir.get(), std::string{path}.c_str(), AT_REMOVEDIR) < 0) return last_errno();
    return {};
}

namespace {

Result<void> remove_tree_on(FdRef dir, const std::string& name, dev_t device) {
    if (::unlinkat(dir.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR && errno != EPERM) return last_errno();
    auto folder = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder) return Errno{folder.error()};
    const auto status = stat_fd(folder.value());
    if (!status) return Errno{status.error()};
    if (status.value().st_dev != device) return Errno{EXDEV};
    auto names = list_dir(folder.value());
    if (!names) return Errno{names.error()};
    for (const auto& entry : names.value())
        if (auto removed = remove_tree_on(folder.value(), entry, device); !removed) return removed;
    if (::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT)
        return last_errno();
    return {};
}

}  // namespace

Result<void> remove_tree_at(FdRef dir, std::string_view path) {
    const auto top = stat_at(dir, path);
    if (!top) return top.error() == ENOENT ? Result<void>{} : Result<void>{Errno{top.error()}};
    return remove_tree_on(dir, std::string{path}, top.value().st_dev);
}

Result<void> mkfifo_at(FdRef dir, std::string_view path, mode_t mode) {
    if (::mkfifoat(dir.get(), std::string{path}.c_str(), mode) < 0) return last_errno();
    return {};
}

Result<struct stat> stat_fd(FdRef fd) {
    struct stat status {};
    if (::fstat(fd.get(), &status) < 0) return last_errno();
    return status;
}

Result<struct stat> stat_at(FdRef dir, std::string_view path) {
    struct stat status {};
    if (::fstatat(dir.get(), std::string{path}.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0)
        return last_errno();
    return status;
}

Result<std::uint64_t> filesystem_magic(FdRef fd) {
    struct statfs status {};
    if (no_eintr([&] { return ::fstatfs(fd.get(), &status); }) < 0) return last_errno();
    return static_cast<std::uint64_t>(status.f_type);
}

Result<std::uint64_t> filesystem_magic_of(const std::string& path) {
    struct statfs status {};
    if (no_eintr([&] { return ::statfs(path.c_str(), &status); }) < 0) return last_errno();
    return static_cast<std::uint64_t>(status.f_type);
}

Result<std::string> readlink_at(FdRef dir, std::string_view path) {
    std::array<char, 4096> target{};
    const auto length =
        ::readlinkat(dir.get(), std::string{path}.c_str(), target.data(), target.size());
    if (length < 0) return last_errno();
    return std::string{target.data(), static_cast<std::size_t>(length)};
}

Result<std::vector<std::string>> list_dir(FdRef dir) {
    // A descriptor of its own: fdopendir takes it over, and O_PATH ones cannot be read.
    auto readable = open_at(dir, ".", O_RDONLY | O_DIRECTORY);
    if (!readable) return Errno{readable.error()};
    DIR* stream = ::fdopendir(readable.value().get());
    if (stream == nullptr) return last_errno();
    (void)readable.value().release();  // closedir closes it
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
        const std::string_view name{static_cast<const char*>(entry->d_name)};
        if (name != "." && name != "..") names.emplace_back(name);
        errno = 0;
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return Errno{error};
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> try_lock(FdRef fd) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) < 0) return last_errno();
    return {};
}

Result<void> lock_within(FdRef fd, int seconds) {
    struct sigaction interrupt {};
    struct sigaction before {};
    interrupt.sa_handler = [](int) {};  // without SA_RESTART: flock(2) ends with EINTR
    // Again each second after the first: one that came before flock(2) waited would be lost.
    const itimerval alarm{{1, 0}, {seconds, 0}};
    const itimerval none{};
    ::sigaction(SIGALRM, &interrupt, &before);
    ::setitimer(ITIMER_REAL, &alarm, nullptr);
    const int error = ::flock(fd.get(), LOCK_EX) < 0 ? errno : 0;
    ::setitimer(ITIMER_REAL, &none, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    if (error != 0) return Errno{error == EINTR ? EWOULDBLOCK : error};
    return {};
}

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) return last_errno();
    return Pipe{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

std::string fd_path(FdRef fd) {
    return "/proc/self/fd/" + std::to_string(fd.get());
}

}  // namespace covey::sys
