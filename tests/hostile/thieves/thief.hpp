// The attackers of tests/hostile: one static program without dependencies, one sub-command for each
// kind of attack, one file for each. What it got is said in lines on stdout, of which the first
// word counts:
//   WON what     a promise of docs/SECURITY.md is broken (the host's files were reached, …)
//   GOT what     something came into its hands that is worth knowing
//   TRIED what   it is through with one attempt, whatever came of it
// Thread rule: single-threaded but where a file says otherwise.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace thief {

using Arguments = std::vector<std::string>;

/// Each is given the words after its name and returns its exit status.
int children(const Arguments& arguments);
int inflight(const Arguments& arguments);
int keyring(const Arguments& arguments);
int quota(const Arguments& arguments);
int secret(const Arguments& arguments);
int theft(const Arguments& arguments);
int tick(const Arguments& arguments);
int trace(const Arguments& arguments);
int unfreezable(const Arguments& arguments);

/// One line, written at once.
void say(const std::string& line);
[[nodiscard]] double now();  // seconds of the steady clock
void wait_a_moment(int milliseconds);
[[nodiscard]] std::string slurp(const std::string& path);
[[nodiscard]] std::vector<std::string> list(const std::string& path);
[[nodiscard]] std::string errno_name();

/// A descriptor of any kind in words: its type, and what /proc/self/fd says.
[[nodiscard]] std::string describe(int fd);

/// The host's file that must not be reached, as the test names it on the command line.
void set_canary(const std::string& path);
/// Climbs from a folder up to the host's root and tries to read the canary and to write beside it;
/// says WON.
void loot_folder(int fd, const std::string& how);

/// A process of the pod that somebody outside has put there and that has not executed its program:
/// a newborn or one that waits at its gate. By its parent, which is not in sight, and PF_FORKNOEXEC
/// of proc(5).
struct Newborn {
    pid_t pid = 0;
    std::string key;  // with its start time
    std::string name;
};
[[nodiscard]] bool is_newborn(pid_t pid, Newborn& found);

/// A descriptor of another process (pidfd_getfd(2)); -1 when it is refused.
[[nodiscard]] int open_process(pid_t pid);
[[nodiscard]] int steal(int pidfd, int fd);

/// Lets a process that we may trace send every word of a hand-shake itself, over its own sockets of
/// these numbers.
void speak_through(pid_t pid, const std::vector<int>& sockets);

/// A packet with descriptors, without waiting; false when it could not be sent.
bool send_packet(int socket, const std::string& bytes, const std::vector<int>& fds = {});
/// Without waiting: the bytes and descriptors that have come; -1 when there is nothing, 0 at the
/// end.
ssize_t receive_packet(int socket, std::string& bytes, std::vector<int>& fds);

}  // namespace thief
