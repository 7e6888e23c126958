#include "spec/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>

namespace covey::spec {
namespace {

using namespace std::string_view_literals;

// In the order of NamespaceType, so that info() is an index.
// linux/mempolicy.h; an older one has not all of them.
constexpr std::array kMemoryPolicyModes{NamedNumber{"MPOL_DEFAULT", 0},
                                        NamedNumber{"MPOL_PREFERRED", 1},
                                        NamedNumber{"MPOL_BIND", 2},
                                        NamedNumber{"MPOL_INTERLEAVE", 3},
                                        NamedNumber{"MPOL_LOCAL", 4},
                                        NamedNumber{"MPOL_PREFERRED_MANY", 5},
                                        NamedNumber{"MPOL_WEIGHTED_INTERLEAVE", 6}};
constexpr std::array kMemoryPolicyFlags{NamedNumber{"MPOL_F_NUMA_BALANCING", 1 << 13},
                                        NamedNumber{"MPOL_F_RELATIVE_NODES", 1 << 14},
                                        NamedNumber{"MPOL_F_STATIC_NODES", 1 << 15}};

constexpr std::array kNamespaces{
    NamespaceInfo{NamespaceType::pid, "pid", "pid", CLONE_NEWPID},
    NamespaceInfo{NamespaceType::network, "network", "net", CLONE_NEWNET},
    NamespaceInfo{NamespaceType::mount, "mount", "mnt", CLONE_NEWNS},
    NamespaceInfo{NamespaceType::ipc, "ipc", "ipc", CLONE_NEWIPC},
    NamespaceInfo{NamespaceType::uts, "uts", "uts", CLONE_NEWUTS},
    NamespaceInfo{NamespaceType::user, "user", "user", CLONE_NEWUSER},
    NamespaceInfo{NamespaceType::cgroup, "cgroup", "cgroup", CLONE_NEWCGROUP},
    NamespaceInfo{NamespaceType::time, "time", "time", CLONE_NEWTIME},
};

// capability.h, by number.
constexpr std::array kCapabilities{
    "CAP_CHOWN"sv,
    "CAP_DAC_OVERRIDE"sv,
    "CAP_DAC_READ_SEARCH"sv,
    "CAP_FOWNER"sv,
    "CAP_FSETID"sv,
    "CAP_KILL"sv,
    "CAP_SETGID"sv,
    "CAP_SETUID"sv,
    "CAP_SETPCAP"sv,
    "CAP_LINUX_IMMUTABLE"sv,
    "CAP_NET_BIND_SERVICE"sv,
    "CAP_NET_BROADCAST"sv,
    "CAP_NET_ADMIN"sv,
    "CAP_NET_RAW"sv,
    "CAP_IPC_LOCK"sv,
    "CAP_IPC_OWNER"sv,
    "CAP_SYS_MODULE"sv,
    "CAP_SYS_RAWIO"sv,
    "CAP_SYS_CHROOT"sv,
    "CAP_SYS_PTRACE"sv,
    "CAP_SYS_PACCT"sv,
    "CAP_SYS_ADMIN"sv,
    "CAP_SYS_BOOT"sv,
    "CAP_SYS_NICE"sv,
    "CAP_SYS_RESOURCE"sv,
    "CAP_SYS_TIME"sv,
    "CAP_SYS_TTY_CONFIG"sv,
    "CAP_MKNOD"sv,
    "CAP_LEASE"sv,
    "CAP_AUDIT_WRITE"sv,
    "CAP_AUDIT_CONTROL"sv,
    "CAP_SETFCAP"sv,
    "CAP_MAC_OVERRIDE"sv,
    "CAP_MAC_ADMIN"sv,
    "CAP_SYSLOG"sv,
    "CAP_WAKE_ALARM"sv,
    "CAP_BLOCK_SUSPEND"sv,
    "CAP_AUDIT_READ"sv,
    "CAP_PERFMON"sv,
    "CAP_BPF"sv,
    "CAP_CHECKPOINT_RESTORE"sv,
};
static_assert(kCapabilities.size() == CAP_CHECKPOINT_RESTORE + 1);
static_assert(kCapabilities[CAP_SYS_PTRACE] == "CAP_SYS_PTRACE");

// resource.h, by number.
constexpr std::array kRlimits{
    "RLIMIT_CPU"sv,      "RLIMIT_FSIZE"sv, "RLIMIT_DATA"sv,   "RLIMIT_STACK"sv,
    "RLIMIT_CORE"sv,     "RLIMIT_RSS"sv,   "RLIMIT_NPROC"sv,  "RLIMIT_NOFILE"sv,
    "RLIMIT_MEMLOCK"sv,  "RLIMIT_AS"sv,    "RLIMIT_LOCKS"sv,  "RLIMIT_SIGPENDING"sv,
    "RLIMIT_MSGQUEUE"sv, "RLIMIT_NICE"sv,  "RLIMIT_RTPRIO"sv, "RLIMIT_RTTIME"sv,
};
static_assert(kRlimits.size() == RLIMIT_NLIMITS);
static_assert(kRlimits[RLIMIT_NOFILE] == "RLIMIT_NOFILE"sv);

bool equal_ignoring_case(std::string_view a, std::string_view upper) noexcept {
    return a.size() == upper.size() &&
           std::equal(a.begin(), a.end(), upper.begin(), [](char x, char y) {
               return (x >= 'a' && x <= 'z' ? static_cast<char>(x - 'a' + 'A') : x) == y;
           });
}

template <class Names>
std::optional<int> index_of(const Names& names, std::string_view name) noexcept {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<int>(found - names.begin());
}

}  // namespace

std::span<const NamespaceInfo> namespace_table() noexcept {
    return kNamespaces;
}

const NamespaceInfo& info(NamespaceType type) noexcept {
    return kNamespaces[static_cast<std::size_t>(type)];
}

const NamespaceInfo* find_namespace(std::string_view oci_name) noexcept {
    const auto found =
        std::find_if(kNamespaces.begin(), kNamespaces.end(),
                     [&](const NamespaceInfo& entry) { return entry.oci_name == oci_name; });
    return found == kNamespaces.end() ? nullptr : &*found;
}

std::optional<int> capability_number(std::string_view name) noexcept {
    constexpr std::string_view kPrefix = "CAP_";
    for (std::size_t number = 0; number < kCapabilities.size(); ++number) {
        const std::string_view full = kCapabilities.at(number);
        if (equal_ignoring_case(name, full) ||
            equal_ignoring_case(name, full.substr(kPrefix.size()))) {
            return static_cast<int>(number);
        }
    }
    return std::nullopt;
}

std::string capability_name(int number) {
    const auto index = static_cast<std::size_t>(number);
    return index < kCapabilities.size() ? std::string{kCapabilities.at(index)}
                                        : fmt::format("CAP_{}", number);
}

std::span<const std::string_view> capability_names() noexcept {
    return kCapabilities;
}

std::vector<std::string> capability_names_of(std::uint64_t mask) {
    std::vector<std::string> names;
    for (int number = 0; number < 64; ++number) {
        if ((mask >> static_cast<unsigned>(number) & 1U) != 0)
            names.push_back(capability_name(number));
    }
    return names;
}

std::uint64_t default_capabilities() noexcept {
    std::uint64_t mask = 0;
    for (const int number :
         {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID,
          CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_SETFCAP}) {
        mask |= std::uint64_t{1} << static_cast<unsigned>(number);
    }
    return mask;
}

std::optional<int> rlimit_number(std::string_view name) noexcept {
    return index_of(kRlimits, name);
}

std::string_view rlimit_name(int number) noexcept {
    const auto index = static_cast<std::size_t>(number);
    return index < kRlimits.size() ? kRlimits.at(index) : std::string_view{"RLIMIT_?"};
}

std::span<const std::string_view> rlimit_names() noexcept {
    return kRlimits;
}

std::span<const NamedNumber> memory_policy_modes() noexcept {
    return kMemoryPolicyModes;
}

std::span<const NamedNumber> memory_policy_flags() noexcept {
    return kMemoryPolicyFlags;
}

std::optional<PidMode> pid_mode(std::string_view name) noexcept {
    const auto index = index_of(kPidModeNames, name);
    if (!index) return std::nullopt;
    return static_cast<PidMode>(*index);
}

std::string_view pid_mode_name(PidMode mode) noexcept {
    return kPidModeNames.at(static_cast<std::size_t>(mode));
}

std::optional<Pid1Signals> pid1_signals(std::string_view name) noexcept {
    if (name == "ignore") return Pid1Signals::ignore;
    if (name == "route") return Pid1Signals::route;
    return std::nullopt;
}

std::string_view pid1_signals_name(Pid1Signals choice) noexcept {
    return kPid1SignalsNames.at(static_cast<std::size_t>(choice));
}

}  // namespace covey::spec
