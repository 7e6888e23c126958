// What every root test ends with: nothing of ours is left. A snapshot is taken before each pass
// through a test case and compared after it: processes (covey programs, whatever lives in a cgroup
// of ours, children of the test), mounts of the namespace that the first snapshot saw, cgroup
// directories in every hierarchy, descriptors of the test process, files and descriptors that the
// test asked to have watched.
// A program that checks holds a lock, so that two of them do not see each other.
// Thread rule: the test thread. Blocks up to 5 s where there is a leak: an init may look for its
// dead every 2 s only (under ctest the reaper does, at once).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::test {

struct Snapshot {
    std::vector<std::string> processes, mounts, cgroups, descriptors, files;
};
[[nodiscard]] Snapshot take_snapshot();
/// What there is now and was not `before`, a line each; waits that long for what is just ending.
[[nodiscard]] std::vector<std::string> leaks_since(
    const Snapshot& before, std::chrono::milliseconds patience = std::chrono::seconds{5});
/// From now on every test case of this program ends with the check. `covey_test(… ROOT)` does it;
/// others call it at namespace scope.
bool enable_leak_check();

/// Every entry below this folder counts from the next snapshot on (it need not exist yet).
void watch_dir(const std::string& path);
/// So do the descriptors of this process, by what they are ("socket", "/run/x"), not by number.
void watch_descriptors(pid_t pid);

}  // namespace covey::test
