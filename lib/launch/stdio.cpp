#include "launch/stdio.hpp"

#include "covey/error.hpp"
#include "launch/stream_file.hpp"
#include "spec/id_mappings.hpp"
#include "sys/file.hpp"
#include "sys/path.hpp"
#include "sys/privileges.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace covey::launch {
namespace {

constexpr std::string_view kInherit = "inherit";

UniqueFd open_null(int flags) {
    auto null = sys::open("/dev/null", flags).or_throw("open", "/dev/null");
    // An image cannot have replaced the host's, but a sloppy host might: /dev/null is char 1:3.
    const auto status = sys::stat_fd(null).or_throw("stat", "/dev/null");
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
        throw Error(Code::failed_precondition, "the host's /dev/null is not the null device")
            .with_fix("mknod -m 666 /dev/null c 1 3");
    return null;
}

[[noreturn]] void refuse_value(std::string_view value, const char* stream) {
    throw Error(Code::invalid_argument, fmt::format("unknown value '{}' for {}", value, stream))
        .with_fix(std::string_view{stream} == "stdin" ? "use null, hold, file:/path or fifo:/path"
                                                      : "use null, file:/path or fifo:/path");
}

/// What follows "kind:", if the value is of that kind.
bool has_kind(std::string_view value, std::string_view kind, std::string& path) {
    if (!value.starts_with(kind) || value.size() <= kind.size() || value[kind.size()] != '/')
        return false;
    path = std::string{value.substr(kind.size())};
    return true;
}

UniqueFd open_fifo(const std::string& path, int flags, const char* stream) {
    const auto place = find_stream(path, stream);
    const auto status = sys::stat_fd(place).or_throw("stat", path);
    if (!S_ISFIFO(status.st_mode))
        throw Error(Code::invalid_argument, fmt::format("{} {} is not a FIFO", stream, path))
            .with_fix("mkfifo it first, or say file:" + path);
    auto fifo = sys::open(sys::fd_path(place), flags | O_NONBLOCK)
                    .or_throw(fmt::format("open {}", stream), path);
    sys::set_nonblocking(fifo, false).or_throw("fcntl", path);
    return fifo;
}

UniqueFd open_input(const std::string& name, UniqueFd& held) {
    std::string path;
    if (name == "null") return open_null(O_RDONLY);
    if (name == kInherit) return take_stream(FdRef{STDIN_FILENO}, "stdin");
    if (name == "hold") {
        auto pipe = sys::make_pipe().or_throw("pipe");
        held = std::move(pipe.write);
        return std::move(pipe.read);
    }
    if (has_kind(name, "file:", path)) return open_stream_file(path, O_RDONLY | O_NOCTTY, "stdin");
    if (has_kind(name, "fifo:", path)) return open_fifo(path, O_RDONLY, "stdin");
    refuse_value(name, "stdin");
}

}  // namespace

UniqueFd open_output(const std::string& name, const char* stream) {
    std::string path;
    if (name == "null") return open_null(O_WRONLY);
    if (name == kInherit)
        return take_stream(
            FdRef{std::string_view{stream} == "stdout" ? STDOUT_FILENO : STDERR_FILENO}, stream);
    if (has_kind(name, "file:", path))
        return open_stream_file(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, stream);
    // Read-write: an output FIFO opens at once though nobody reads yet, and no writer dies of
    // SIGPIPE when its reader restarts.
    if (has_kind(name, "fifo:", path)) return open_fifo(path, O_RDWR, stream);
    refuse_value(name, stream);
}

Stdio open_stdio(const StdioNames& names) {
    Stdio stdio;
    stdio.in = open_input(names.in, stdio.held);
    stdio.out = open_output(names.out, "stdout");
    stdio.err = open_output(names.err, "stderr");
    return stdio;
}

void give_pipes(const Stdio& stdio, uid_t uid) {
    for (const auto* fd : {&stdio.in, &stdio.out, &stdio.err}) {
        if (!*fd || sys::filesystem_magic(*fd).value_or(0) != PIPEFS_MAGIC) continue;
        const bool given = ::fchown(fd->get(), uid, ~gid_t{0}) == 0;
        if (!given && errno != EPERM && errno != EINVAL)
            throw Error::from_errno(errno, "chown", "standard stream");
    }
}

void give_pipes_on_host(const Stdio& stdio, const plan::ProcessPlan& process,
                        const IdMappings& uids) {
    const auto owner =
        process.user_namespace ? spec::host_id(uids, process.uid) : std::optional{process.uid};
    if (owner) give_pipes(stdio, *owner);
}

Error dup_error(int error, const char* what) {
    const auto limit = sys::get_limit(RLIMIT_NOFILE).value_or({3, 3}).first;
    if (error != EBADF || limit >= 3) return Error::from_errno(error, "dup", what);
    return Error(Code::invalid_spec,
                 fmt::format("RLIMIT_NOFILE {} leaves no room for stdin, stdout and stderr", limit))
        .with_fix("set it to at least 3 in process.rlimits, or leave it out");
}

void install_stdio(const Stdio& stdio) {
    int target = 0;
    for (const auto* fd : {&stdio.in, &stdio.out, &stdio.err}) {
        if (::dup3(fd->get(), target, 0) <
            0)  // NOLINT(android-cloexec-dup3): 0, 1, 2 are to be inherited
            throw dup_error(errno, "standard stream");
        ++target;
    }
}

void pass_on_descriptors(unsigned count) {
    constexpr int kFirst = 3;
    for (int fd = kFirst; fd < kFirst + static_cast<int>(count); ++fd)
        sys::set_cloexec(FdRef{fd}, false).or_throw("pass on descriptor", std::to_string(fd));
}

}  // namespace covey::launch
