#include "support/requires.hpp"

#include "catch.hpp"
#include "support/hooks.hpp"
#include "sys/file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::test {
namespace {

using Reason = std::optional<std::string>;

struct Tally {
    std::string name;
    bool skipped = false;
    int cases = 0;
    int skipped_cases = 0;
};
Tally g_tally;

Reason no_filesystem(const char* path, std::uint64_t magic) {
    const auto dir = sys::open_dir(path);
    if (!dir) return std::string{path} + " is not there";
    if (sys::filesystem_magic(dir.value()).value_or(0) != magic)
        return std::string{path} + " is another filesystem";
    return std::nullopt;
}

Reason no_cgroup_v1() {
    return no_filesystem("/sys/fs/cgroup/memory", CGROUP_SUPER_MAGIC);
}

Reason no_cgroup_v2() {
    if (!no_filesystem("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC)) return std::nullopt;
    return no_filesystem("/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC);
}

Reason no_cgroup_hybrid() {
    if (auto reason = no_cgroup_v1()) return reason;
    return no_filesystem("/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC);
}

std::string errno_text(const char* operation) {
    return std::string{operation} + ": " + std::strerror(errno);
}

/// In a child, because a process cannot leave a user namespace again.
Reason no_userns() {
    const pid_t child = fork();
    if (child < 0) return errno_text("fork");
    if (child == 0) _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    return errno_text("unshare(CLONE_NEWUSER)");
}

Reason no_seccomp() {
    std::uint32_t action = SECCOMP_RET_LOG;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return std::nullopt;
    return errno_text("seccomp(SECCOMP_GET_ACTION_AVAIL)");
}

Reason no_landlock() {
    if (syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0)
        return std::nullopt;
    return errno_text("landlock_create_ruleset");
}

/// Where a launch takes a hundred times as long, no bound of milliseconds can be kept.
Reason no_own_speed() {
    if (std::getenv("COVEY_EMULATED") != nullptr) return "this processor is emulated";
    return {};
}

/// UBSan opens a pipe to look at an object whose type it does not know yet, and without a
/// descriptor takes it for none.
Reason no_plain_program() {
#ifdef __SANITIZE_ADDRESS__
    return "a sanitizer needs descriptors of its own";
#else
    return {};
#endif
}

/// ABI 6, Linux 6.12: domains that hold back signals and leave files alone.
Reason no_landlock_scope() {
    const auto abi =
        syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi >= 6) return {};
    return "Landlock ABI " + std::to_string(abi);
}

/// Linux 6.17 and later; before that the parameter is unknown (EINVAL).
Reason no_pidns_mount() {
    const UniqueFd context{static_cast<int>(syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC))};
    if (!context) return errno_text("fsopen(proc)");
    const auto pidns = sys::open("/proc/self/ns/pid", O_RDONLY);
    if (!pidns) return std::string{"/proc/self/ns/pid cannot be opened"};
    if (syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FD, "pidns", nullptr,
                pidns.value().get()) == 0)
        return std::nullopt;
    return errno_text("fsconfig(pidns)");
}

/// A tmpfs's ids can be mapped since Linux 6.3.
Reason no_idmapped_tmpfs() {
    utsname name{};
    int major = 0, minor = 0;
    if (uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2)
        return std::string{"an unknown kernel"};
    if (major > 6 || (major == 6 && minor >= 3)) return std::nullopt;
    return std::string{"Linux "} + name.release;
}

Reason no_runc() {
    if (access("/usr/sbin/runc", X_OK) == 0 || access("/usr/bin/runc", X_OK) == 0)
        return std::nullopt;
    return "install runc";
}

Reason no_root() {
    return geteuid() == 0 ? Reason{} : Reason{"run as root"};
}

Reason no_faults() {
#ifdef COVEY_FAULTS
    return std::nullopt;
#else
    return "built without COVEY_FAULTS";
#endif
}

bool is_promised(const std::string& word) {
    const char* list = std::getenv("COVEY_NO_SKIP");
    std::istringstream words{list == nullptr ? "" : list};
    for (std::string promised; words >> promised;)
        if (promised == word) return true;
    return false;
}

}  // namespace

Reason missing(const std::string& word) {
    static const std::map<std::string, std::function<Reason()>> probes{
        {"root", no_root},
        {"cgroup_v1", no_cgroup_v1},
        {"cgroup_v2", no_cgroup_v2},
        {"cgroup_hybrid", no_cgroup_hybrid},
        {"cgroup_pure_v2", [] { return no_filesystem("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC); }},
        {"userns", no_userns},
        {"seccomp", no_seccomp},
        {"landlock", no_landlock},
        {"landlock_scope", no_landlock_scope},
        {"pidns_mount", no_pidns_mount},
        {"idmapped_tmpfs", no_idmapped_tmpfs},
        {"faults", no_faults},
        {"own_speed", no_own_speed},
        {"plain_program", no_plain_program},
        {"runc", no_runc},
    };
    const auto probe = probes.find(word);
    if (probe == probes.end()) {
        FAIL("unknown requirement word '" << word << "'");
        return std::nullopt;
    }
    return probe->second();
}

void note_skip(const std::string& word, const std::string& reason) {
    g_tally.skipped = true;
    std::cout << "SKIP: " << g_tally.name << ": needs " << word << " (" << reason << ")"
              << std::endl;
    if (is_promised(word))
        FAIL_CHECK("skipped for '" << word << "', which COVEY_NO_SKIP promises: " << reason);
}

void case_starting(const std::string& name) {
    g_tally.name = name;
    g_tally.skipped = false;
}

void case_ended() {
    ++g_tally.cases;
    if (g_tally.skipped) ++g_tally.skipped_cases;
}

int exit_status(int failures) {
    constexpr int kSkipped = 77;
    if (failures != 0) return failures > 255 || failures == kSkipped ? 255 : failures;
    if (g_tally.skipped_cases > 0 && g_tally.skipped_cases == g_tally.cases) return kSkipped;
    return 0;
}

}  // namespace covey::test
