// What the tests of the sandbox and of the launch share: a pod with a state root of its own, small
// ways to run a probe in it and to read what it said. Thread rule: the test thread. Everything
// waits, at most kLong.
#pragma once

#include "runtime/facade.hpp"

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::test {

using Words = std::vector<std::string>;

struct Outcome {
    ExitStatus status;
    std::string out, err;
    /// A member of the one JSON line in `out`, by JSON pointer; a text without its quotes.
    [[nodiscard]] std::string at(const std::string& pointer) const;
};

[[nodiscard]] ContainerOptions in_mode(PidMode mode);
[[nodiscard]] inline ContainerOptions in_pod() {
    return in_mode(PidMode::pod);
}
/// `words` for the probe and a JSON merge patch on the configuration.
[[nodiscard]] BundleOptions probe_bundle(const Words& words, const std::string& patch = "{}");

class Lab {
  public:
    explicit Lab(const std::function<void(SandboxOptions&)>& change = {});
    Lab(const Lab&) = delete;
    Lab& operator=(const Lab&) = delete;
    /// Removes the sandbox with everything in it.
    ~Lab();

    [[nodiscard]] Sandbox& sandbox() { return *sandbox_; }
    /// A folder of the case's own.
    [[nodiscard]] const std::string& folder() const { return pod_.root(); }
    /// The sandbox's state folder.
    [[nodiscard]] std::string state() const { return folder() + "/sandboxes/lab"; }
    /// The one bundle that run() configures anew each time.
    [[nodiscard]] const Bundle& bundle() const { return bundle_; }

    Container create(const std::string& id, const BundleOptions& options,
                     const ContainerOptions& container = in_pod());
    Container start(const std::string& id, const BundleOptions& options,
                    const ContainerOptions& container = in_pod());
    /// From create to remove.
    Outcome run(const BundleOptions& options, ContainerOptions container = in_pod());
    Outcome run(const Words& words, const std::string& patch = "{}",
                const ContainerOptions& container = in_pod());
    /// What a create is refused with; fails the case if it is not.
    Error refused(const BundleOptions& options, const ContainerOptions& container = in_pod());
    /// The code of that; the error has a fix, and nothing of the container is left.
    Code refused_cleanly(const BundleOptions& options, const ContainerOptions& container);

  private:
    Pod pod_;
    Bundle bundle_;
    std::optional<Sandbox> sandbox_;
};

/// Probe words in a running container; standard streams other than stdout are null.
Outcome exec(Container& container, const Words& words, ExecOptions options = {});

[[nodiscard]] Error error_of(const std::function<void()>& action);
[[nodiscard]] std::string text_of(const std::string& path);
void write_text(const std::string& path, const std::string& text);
/// Looks again and again for up to kLong.
[[nodiscard]] bool eventually(const std::function<bool()>& condition);

/// Host numbers of all processes whose cgroup's path holds `part`, zombies too.
[[nodiscard]] std::vector<pid_t> processes_of(const std::string& part);
/// The parent of pause is its shim.
[[nodiscard]] pid_t shim_of(const Sandbox& sandbox);
[[nodiscard]] std::uint64_t namespace_of(pid_t pid, const std::string& type);
/// Runs `action` in a child in which `unshare(flags)` was done, and returns its result (0 to 255).
int in_new_namespaces(int flags, const std::function<int()>& action);

}  // namespace covey::test
