#include "launch/labels.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/path.hpp"

#include <fmt/format.h>

#include <cerrno>

#include <fcntl.h>
#include <linux/magic.h>

namespace covey::launch {
namespace {

constexpr std::size_t kLongestLabel = 4096;
constexpr const char* kFix =
    "remove it from the spec (engines have an option: --security-opt label=disable, "
    "apparmor=unconfined), or boot the kernel with it";

/// A label that the loaded policy does not know: the kernel's words for it are not clear.
Error refused_label(int error, const std::string& label) {
    if (error == ENOENT)  // AppArmor's; SELinux says EINVAL
        return Error(Code::failed_precondition,
                     fmt::format("AppArmor profile {} is not loaded", label))
            .with_fix("load it (apparmor_parser -a FILE), or name one that aa-status lists");
    auto result = Error::from_errno(error, "write security label", label);
    if (error == EINVAL) result.set_fix("the policy that the kernel has loaded has no such label");
    return result;
}

/// Beneath a /proc that was checked to be one: an image's volume over it has swallowed such a write
/// before (CVE-2019-16884).
void write_attribute(const char* name, const std::string& value, const std::string& expected) {
    const auto proc = sys::open_dir("/proc").or_throw("open", "/proc");
    if (sys::filesystem_magic(proc).value_or(0) != PROC_SUPER_MAGIC)
        throw Error(Code::failed_precondition, "/proc is not a procfs");
    const auto path =
        sys::readlink_at(proc, "self").or_throw("read", "/proc/self") + "/attr/" + name;
    const auto file = sys::open_beneath(proc, path, O_WRONLY).or_throw("open", path);
    if (const auto written = sys::write_all(file, value); !written)
        throw refused_label(written.error(), expected);
    const auto reading = sys::open_beneath(proc, path, O_RDONLY).or_throw("open", path);
    const auto now = sys::read_all(reading, kLongestLabel).or_throw("read back", path);
    if (now.find(expected) == std::string::npos)
        throw Error(Code::internal, "the security label read back differs from the plan's")
            .with_cause("wanted " + expected + ", is " + now);
}

}  // namespace

bool has_apparmor() {
    const auto enabled = sys::read_file("/sys/module/apparmor/parameters/enabled");
    return enabled && enabled.value().starts_with('Y');
}

bool has_selinux() {
    // As libselinux finds it: selinuxfs is there only when a policy could be loaded.
    const auto mount = sys::open_dir("/sys/fs/selinux");
    return mount && sys::filesystem_magic(mount.value()).value_or(0) == SELINUX_MAGIC;
}

void check_labels(const plan::ProcessPlan& process, const std::string& mount_label) {
    if (!process.apparmor_profile.empty() && !has_apparmor())
        throw Error(Code::unsupported_by_host,
                    "apparmor: config provided but apparmor not supported")
            .with_fix(kFix);
    if ((!process.selinux_label.empty() || !mount_label.empty()) && !has_selinux())
        throw Error(
            Code::unsupported_by_host,
            "selinux label is specified in config, but selinux is disabled or not supported")
            .with_fix(kFix);
}

void set_labels(const plan::ProcessPlan& process) {
    if (!process.selinux_label.empty())
        write_attribute("exec", process.selinux_label, process.selinux_label);
    if (process.apparmor_profile.empty()) return;
    // Where several modules are stacked, "exec" is the first one's (Linux 5.8).
    const bool stacked = sys::stat_at(sys::kCwd, "/proc/self/attr/apparmor").has_value();
    write_attribute(stacked ? "apparmor/exec" : "exec", "exec " + process.apparmor_profile,
                    process.apparmor_profile);
}

}  // namespace covey::launch
