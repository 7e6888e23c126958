#include "launch/program.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "plan/environment.hpp"
#include "sys/file.hpp"
#include "sys/path.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>

namespace covey::launch {
namespace {

/// 0, or the errno that execve(2) would give.
int executable_error(FdRef root, const std::string& path) {
    const auto file = sys::open_in_root(root, path, O_PATH);
    if (!file) return file.error();
    const auto status = sys::stat_fd(file.value());
    if (!status) return status.error();
    if (S_ISDIR(status.value().st_mode)) return EISDIR;
    constexpr mode_t kAnyExecute = S_IXUSR | S_IXGRP | S_IXOTH;
    if (!S_ISREG(status.value().st_mode) || (status.value().st_mode & kAnyExecute) == 0)
        return EACCES;
    return 0;
}

[[noreturn]] void refuse_program(const std::string& program, int error, std::string_view path) {
    if (error == EACCES || error == EISDIR || error == ENOTDIR)
        throw Error(Code::permission_denied, fmt::format("exec \"{}\": {}", program,
                                                         error == EISDIR    ? "is a directory"
                                                         : error == ENOTDIR ? "not a directory"
                                                                            : "permission denied"))
            .with_fix("process.args[0] must be an executable file of the root filesystem");
    if (error != ENOENT) throw Error::from_errno(error, "exec", program);
    // The words that engines look for come first, whether PATH was searched or not.
    const bool is_path = program.find('/') != std::string::npos;
    auto result =
        Error(Code::not_found, fmt::format("exec \"{}\": executable file not found in $PATH{}",
                                           program, is_path ? ": there is no such file" : ""))
            .with_fix(
                "name a program that the root filesystem has; PATH is searched only for "
                "names without a slash");
    if (!path.empty()) result.add_cause(fmt::format("PATH={}", path));
    throw result;
}

}  // namespace

std::string find_program(FdRef root, const std::vector<std::string>& args,
                         const std::vector<std::string>& env, const std::string& cwd) {
    const auto& name = args.at(0);
    if (name.find('/') != std::string::npos) {
        auto path = name.front() == '/' ? name : cwd + "/" + name;
        if (const int error = executable_error(root, path); error != 0)
            refuse_program(name, error, {});
        return path;
    }
    int first_error = ENOENT;
    for (const auto folder : split(plan::variable(env, "PATH"), ':')) {
        // An empty entry means the working directory (POSIX), a relative one is below it.
        std::string path = folder.empty() ? cwd : std::string{folder};
        if (path.front() != '/') path.insert(0, cwd + "/");
        path.append("/").append(name);
        const int error = executable_error(root, path);
        if (error == 0) return path;
        if (error == EACCES) first_error = EACCES;
    }
    refuse_program(name, first_error, plan::variable(env, "PATH"));
}

}  // namespace covey::launch
