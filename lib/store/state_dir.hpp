// The root of Covey's state on a node (`/run/covey`, `--root`): made if missing, checked to be ours
// alone, and locked by the one daemon that works on it. Called by coveyd (main, engine) and by the
// façade. Thread rule: one owner. Blocks as the filesystem does, never on the lock.
#pragma once

#include "base/unique_fd.hpp"

#include <string>

namespace covey::store {

class StateDir {
  public:
    /// Makes `path` and missing parents (the folder itself with mode 0700, parents with 0755) and
    /// opens it. Throws invalid_argument unless the path is absolute; permission_denied when the
    /// folder is not a folder of our own uid or can be written by anybody else, naming the remedy.
    static StateDir open(const std::string& path);

    /// Takes the lock file `lock` in the folder until this object is gone (or the process: the
    /// kernel lets go of it). Throws failed_precondition when another process has it.
    void lock();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] FdRef fd() const noexcept { return folder_; }
    /// Makes (mode 0700) if missing and opens a folder below. `name` may have several components.
    [[nodiscard]] UniqueFd folder(const std::string& name) const;

  private:
    StateDir(std::string path, UniqueFd folder);
    std::string path_;
    UniqueFd folder_, lock_;
};

}  // namespace covey::store
