// What every root test ends with: nothing of ours is left. A snapshot is taken before each test case
// and compared after it: processes (covey programs and their children), mounts of this namespace,
// cgroup directories in every hierarchy, descriptors of the test process.
#pragma once

#include <string>
#include <vector>

namespace covey::test {

struct Snapshot {
    std::vector<std::string> processes, mounts, cgroups, descriptors, files;
};
[[nodiscard]] Snapshot take_snapshot();
/// What `after` has that `before` had not, a line each; waits up to 2 s for dying processes.
[[nodiscard]] std::vector<std::string> leaks_since(const Snapshot& before);
/// From now on every test case of this program ends with the check (call it at namespace scope).
bool enable_leak_check();

}  // namespace covey::test
