#include "runtime/own_binary.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/process.hpp"
#include "sys/sealed.hpp"

#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/statvfs.h>

namespace covey::runtime {
namespace {

constexpr const char* kOwnFile = "/proc/self/exe";
/// Tells the protected program where the one on disk is: its own name is a descriptor's.
constexpr const char* kOrigin = "COVEY_RUNTIME_ORIGIN";

/// execveat(2) with an empty path gives the new program this name; one started by its path has
/// that.
bool was_executed_by_descriptor() {
    const auto* const name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    return name != nullptr && std::string_view{name}.starts_with("/dev/fd/");
}

Result<UniqueFd> read_only_mount(FdRef file) {
    auto mount = sys::clone_tree(file, "", sys::Recursive::no);
    if (!mount) return mount;
    const auto set =
        sys::set_attributes(mount.value(), MOUNT_ATTR_RDONLY, 0, 0, sys::Recursive::no);
    if (!set) return Errno{set.error()};
    return mount;
}

}  // namespace

bool is_protected() {
    if (!was_executed_by_descriptor()) return false;
    const auto file = sys::open(kOwnFile, O_RDONLY);
    if (!file) return false;
    constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
    const int seals = ::fcntl(file.value().get(), F_GET_SEALS);
    if (seals >= 0 && (seals & kSeals) == kSeals) return true;
    struct statvfs status {};
    return ::fstatvfs(file.value().get(), &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
}

std::string program_folder() {
    std::string folder;
    if (is_protected()) {
        // Only what the program on disk said is heard: see below.
        if (const char* origin = std::getenv(kOrigin); origin != nullptr) folder = origin;
    } else if (const auto self = sys::readlink_at(sys::kCwd, kOwnFile)) {
        folder = self.value().substr(0, self.value().rfind('/'));
    }
    return folder.starts_with('/') ? folder : "";
}

void run_from_protected_file(const std::vector<std::string>& argv, std::vector<std::string> env) {
    if (is_protected()) return;
    std::erase_if(env, [](const auto& one) { return one.starts_with(std::string{kOrigin} + "="); });
    env.push_back(std::string{kOrigin} + "=" + program_folder());
    const auto file = sys::open(kOwnFile, O_RDONLY).or_throw("open", kOwnFile);
    if (const auto mount = read_only_mount(file)) (void)sys::exec_fd(mount.value(), argv, env);
    // Without CAP_SYS_ADMIN there is no mount: about 0.4 ms more for the copy.
    const auto copy = sys::sealed_copy(file, "covey-runtime").or_throw("copy", "own program");
    const auto error = sys::exec_fd(copy, argv, env);
    throw Error::from_errno(error.value, "execute", "a protected copy of covey-runtime")
        .with_fix("allow open_tree(2) or memfd_create(2) with execution for this program");
}

}  // namespace covey::runtime
