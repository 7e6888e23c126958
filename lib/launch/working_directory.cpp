#include "launch/working_directory.hpp"

#include "covey/error.hpp"
#include "launch/identity.hpp"
#include "sys/file.hpp"
#include "sys/path.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace covey::launch {
namespace {

[[noreturn]] void refuse_outside(const std::string& folder) {
    throw Error(Code::invalid_spec, fmt::format("working directory {} is outside the root", folder))
        .with_fix("name a folder of the root filesystem in process.cwd");
}

}  // namespace

bool enter_working_directory_early(const plan::ProcessPlan& process) {
    const auto root = sys::open_dir("/").or_throw("open", "/");
    const auto folder = sys::open_in_root(root, process.cwd, O_PATH | O_DIRECTORY);
    // A link of /proc, which could lead anywhere: with these privileges through another's root.
    if (!folder && (folder.error() == ELOOP || folder.error() == EXDEV))
        refuse_outside(process.cwd);
    return folder && ::fchdir(folder.value().get()) == 0;
}

void enter_working_directory(const plan::ProcessPlan& process) {
    if (::chdir(process.cwd.c_str()) < 0)
        throw Error::from_errno(errno, "enter working directory", process.cwd)
            .with_fix(
                "process.cwd must be a folder that the runtime or the container's user may enter");
    // The raw call says "(unreachable)/…" for a folder outside the root, where libc's would fail or
    // lie.
    std::array<char, PATH_MAX> path{};
    const bool told = ::syscall(SYS_getcwd, path.data(), path.size()) >= 0;
    // A filter that is loaded by now may refuse the call; then the folder was looked at before.
    if (!told && errno != ENOENT && is_filtered_early(process)) return;
    if (!told || path.front() != '/') refuse_outside(process.cwd);
}

}  // namespace covey::launch
