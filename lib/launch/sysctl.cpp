#include "launch/sysctl.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>

namespace covey::launch {
namespace {

constexpr std::array<std::string_view, 9> kIpcKeys{
    "kernel.msgmax", "kernel.msgmnb",          "kernel.msgmni",
    "kernel.sem",    "kernel.shmall",          "kernel.shmmax",
    "kernel.shmmni", "kernel.shm_rmid_forced", "kernel.auto_msgmni"};

/// sysctl(8): with a slash first, slashes separate and dots are part of names.
std::string path_of_key(const std::string& key) {
    std::string path = key;
    if (path.find('/') == std::string::npos) std::replace(path.begin(), path.end(), '.', '/');
    return path;
}

std::string dotted(const std::string& key) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '/', '.');
    return name;
}

UniqueFd open_parameter(FdRef folder, const std::string& path, const std::string& key) {
    auto parameter = sys::open_beneath(folder, path, O_WRONLY);
    if (!parameter)
        throw Error::from_errno(parameter.error(), "open sysctl", key)
            .with_code(Code::invalid_argument)
            .with_fix("name a parameter that `sysctl -a` shows on this host");
    return std::move(parameter).value();
}

}  // namespace

std::string sysctl_namespace(const std::string& key) {
    const auto name = dotted(key);
    // "net/../vm/swappiness" is the host's; no real name has an empty part.
    if (name.find("..") != std::string::npos) return {};
    if (name.starts_with("net.")) return "net";
    if (name.starts_with("fs.mqueue.") ||
        std::find(kIpcKeys.begin(), kIpcKeys.end(), name) != kIpcKeys.end())
        return "ipc";
    if (name == "kernel.domainname" || name == "kernel.hostname") return "uts";
    return {};
}

void apply_sysctls(const std::map<std::string, std::string>& sysctls) {
    if (sysctls.empty()) return;
    const auto folder = sys::open_dir("/proc/sys").or_throw("open", "/proc/sys");
    if (sys::filesystem_magic(folder).value_or(0) != PROC_SUPER_MAGIC)
        throw Error(Code::failed_precondition, "/proc/sys is not a procfs");
    for (const auto& [key, value] : sysctls) {
        const auto parameter = open_parameter(folder, path_of_key(key), key);
        sys::write_all(parameter, value).or_throw("write sysctl", key + "=" + value);
    }
}

}  // namespace covey::launch
