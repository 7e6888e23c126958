#include "base/accounts.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

namespace covey {
namespace {

struct Row {
    int error;
    std::string_view operation;  // how it begins; empty: any
    Account account;
};

constexpr Account kInFlight{
    "descriptors in flight of the host user",
    "a process of this uid has sent more descriptors over Unix sockets than its RLIMIT_NOFILE, and "
    "nobody receives them: end it, or give its pod a user namespace of its own"};
constexpr Account kKeys{"keys of the host user (kernel.keys.maxkeys, maxbytes; root_ for uid 0)",
                        "/proc/key-users shows who holds them; raise the limit, or give the pod a "
                        "user namespace of its own"};
constexpr Account kInotify{
    "inotify instances of the host user (fs.inotify.max_user_instances)",
    "raise the sysctl, or end what holds them: ls -l /proc/*/fd | grep inotify"};
constexpr Account kInotifyWatches{
    "inotify watches of the host user (fs.inotify.max_user_watches)",
    "raise the sysctl, or end what holds them: grep -c ^inotify /proc/*/fdinfo/*"};
constexpr Account kEpollWatches{"epoll watches of the host user (fs.epoll.max_user_watches)",
                                "raise the sysctl, or end what holds them"};
constexpr Account kProcesses{
    "processes (RLIMIT_NPROC of the host user, pids.max of a cgroup, kernel.pid_max, "
    "kernel.threads-max)",
    "raise the limit that is reached, or end processes: cat pids.current in the group"};
constexpr Account kNamespaces{"namespaces of the user (user.max_*_namespaces)",
                              "raise the sysctl of the kind that was asked for"};
constexpr Account kNesting{"nested user namespaces (32 at most)", "nest fewer of them"};
constexpr Account kMounts{"mounts of the mount namespace (fs.mount-max)",
                          "raise the sysctl, or unmount what is not needed"};
constexpr Account kCgroups{"cgroups below a limited one (cgroup.max.descendants, cgroup.max.depth)",
                           "raise the limit of the group above, or remove groups"};
constexpr Account kPtys{"pseudo terminals (kernel.pty.max, max= of devpts)",
                        "raise the sysctl, or close terminals"};
constexpr Account kFiles{"open files of the host (fs.file-max)",
                         "raise the sysctl, or end what holds them: cat /proc/sys/fs/file-nr"};
constexpr Account kDescriptors{"descriptors of the process (RLIMIT_NOFILE)",
                               "raise the limit (ulimit -n, LimitNOFILE=), or close some"};
constexpr Account kSpace{"space of the filesystem", "make room on it: df -h, df -i"};
constexpr Account kQuota{"quota of the user on the filesystem", "raise it, or remove files"};

// The first that fits. An operation is what the code calls it, not the system call.
constexpr std::array kRows{
    Row{ETOOMANYREFS, "", kInFlight},
    Row{EDQUOT, "join session keyring", kKeys},
    Row{EDQUOT, "keyctl", kKeys},
    Row{EDQUOT, "add key", kKeys},
    Row{EDQUOT, "", kQuota},
    Row{EMFILE, "make folder watch", kInotify},
    Row{EMFILE, "", kDescriptors},
    Row{ENFILE, "", kFiles},
    Row{ENOSPC, "watch", kInotifyWatches},
    Row{ENOSPC, "epoll", kEpollWatches},
    Row{ENOSPC, "clone", kNamespaces},
    Row{ENOSPC, "unshare", kNamespaces},
    Row{ENOSPC, "attach", kMounts},
    Row{ENOSPC, "bind", kMounts},
    Row{ENOSPC, "mount", kMounts},
    Row{ENOSPC, "create cgroup", kCgroups},
    Row{ENOSPC, "open pseudo terminal", kPtys},
    Row{ENOSPC, "", kSpace},
    Row{EUSERS, "", kNesting},
    Row{EAGAIN, "clone", kProcesses},
    Row{EAGAIN, "start", kProcesses},
    Row{EAGAIN, "spawn", kProcesses},
    Row{EAGAIN, "fork", kProcesses},
    Row{EAGAIN, "set uid", kProcesses},
    Row{EAGAIN, "exec", kProcesses},
};

}  // namespace

const Account* full_account(int error, std::string_view operation) noexcept {
    const auto* found = std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) {
        return row.error == error && operation.starts_with(row.operation);
    });
    return found == kRows.end() ? nullptr : &found->account;
}

}  // namespace covey
