// Where the plan's mounts are, by the descriptors that they were attached with: what lies on one of
// them is looked up from there, never a second time by name from the root. Two containers may share
// a root folder, and the one can exchange /proc or /dev for a symlink while the other is launched;
// then the other's masks must still be on the procfs that it got. Used by RootBuilder. Thread rule:
// single-threaded. Blocks as the filesystem does.
#pragma once

#include "base/unique_fd.hpp"
#include "plan/plan.hpp"
#include "sys/path.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace covey::launch {

class PlacedMounts {
  public:
    /// Of the plan's mounts those are held which something else of the plan lies on.
    explicit PlacedMounts(const plan::LaunchPlan& plan);

    void use_root(FdRef root) noexcept { root_ = root; }
    /// `mount` is attached at `target` by now, which find and make_target led to `place`.
    void note(const std::string& target, FdRef mount, FdRef place);

    /// What is at `path`, or nothing where the mount that it lies on has no such thing. Throws
    /// failed_precondition where a symlink leads out of that mount.
    [[nodiscard]] std::optional<UniqueFd> find(const std::string& path, int flags) const;
    /// The folder that make_target would find at `path`, or nothing: then that says why, or makes
    /// it.
    [[nodiscard]] std::optional<UniqueFd> find_folder(const std::string& path) const;
    /// A mount point, made where it is missing. An image or a volume may have an absolute symlink
    /// on the way, which starts at the container's root; a mount of the kernel's own may not.
    [[nodiscard]] UniqueFd make_target(const std::string& path, sys::TargetKind kind) const;
    /// The folder that holds the last component, made where it is missing, and that component.
    struct Parent {
        UniqueFd folder;
        std::string name;
    };
    [[nodiscard]] Parent make_parent(const std::string& path) const;

    [[nodiscard]] std::vector<int> descriptors() const;
    void close() { mounts_.clear(); }

  private:
    struct Lookup {
        FdRef folder;
        std::string rest, mount;  // mount: where it is in the container
        sys::Scope scope;
    };
    [[nodiscard]] Lookup lookup(const std::string& path) const;
    void forget_covered(FdRef place);

    FdRef root_{-1};
    std::set<std::string, std::less<>> needed_;  // targets that something else lies on
    std::map<std::string, UniqueFd, std::less<>> mounts_;
};

}  // namespace covey::launch
