// Who may do what to whom in a pod: may one container's main process see, signal, read
// /proc/N/root of, and ptrace another's; why not; and the least change that would allow it. A pure
// function over what the kernel says of both (credentials(7), ptrace(2), kill(2),
// pid_namespaces(7)); read_access_facts fetches that. Called by coveyd.
// Thread rule: any thread. judge_access does not block; read_access_facts reads /proc.
#pragma once

#include "base/unique_fd.hpp"
#include "spec/id_mappings.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::core {

enum class Action { see, signal, read_root, ptrace };
inline constexpr std::array<Action, 4> kActions{Action::see, Action::signal, Action::read_root,
                                                Action::ptrace};

/// What the kernel refuses for.
enum class Obstacle {
    pid_namespace,   // the target has no number in the caller's
    landlock,        // the caller's access is its own processes only
    user_namespace,  // the capability would have to be held where the target's namespace is
    uid,             // of another user (or group)
    cap_kill,
    capabilities,  // the target has some that the caller lacks
    sys_ptrace,
    dumpable,  // the target has made itself unreadable
    traced,    // somebody traces it already
    yama,
};
[[nodiscard]] std::string_view obstacle_name(Obstacle obstacle) noexcept;

struct UserNamespace {
    std::uint64_t inode = 0;
    uid_t owner = 0;
};

/// What a container may not do to its neighbours.
struct Restrictions {
    bool see = false, signal = false, inspect = false;
};

struct AccessFacts {
    std::string name;  // the container's id, "(pause)"
    pid_t pid = 0;
    std::array<uid_t, 4> uids{};  // real, effective, saved, of the filesystem; in our own terms
    std::array<gid_t, 4> gids{};
    std::uint64_t effective = 0, permitted = 0;     // capabilities
    std::uint64_t bounding = 0;                     // what a program of its could gain
    bool no_new_privs = false;                      // … and may not
    std::vector<std::uint64_t> pid_namespaces;      // inodes, its own first, then those around it
    std::vector<spec::IdMapping> uid_map, gid_map;  // of its user namespace
    std::vector<UserNamespace> user_namespaces;     // likewise
    enum class Dumpable { yes, no, unknown } dumpable = Dumpable::unknown;
    bool is_first = false;  // PID 1 of its namespace: what it has no handler for is dropped
    bool has_seccomp = false;
    pid_t tracer = 0;
    int yama = 0;  // kernel.yama.ptrace_scope of the host, 0 without Yama
    Restrictions restricted;
};

/// Throws not_found when the process is gone. `restricted` is not the kernel's to say: it is left
/// as it is by default.
[[nodiscard]] AccessFacts read_access_facts(FdRef proc, std::string name, pid_t pid);

struct Verdict {
    bool allowed = false;
    std::vector<Obstacle> obstacles;   // empty when allowed
    std::vector<std::string> changes;  // each alone would allow it, the least first
    std::string note;                  // what else to know; may be empty
};
[[nodiscard]] Verdict judge_access(const AccessFacts& from, const AccessFacts& to, Action action);

/// The most that the container of process `from` can become towards `to`, by programs of its own
/// image: with setuid bits and file capabilities, up to the bounding set, unless no_new_privs; with
/// CAP_SETUID and CAP_SETGID any user.
[[nodiscard]] AccessFacts at_most(AccessFacts from, const AccessFacts& to);
/// The least that a process of the container of `to` can become: without any capability, dumpable.
[[nodiscard]] AccessFacts at_least(AccessFacts to);

}  // namespace covey::core
