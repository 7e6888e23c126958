// A change of a container's limits under way: a child of the shim reads the wish and writes the
// files, so that a fault in a parser costs one update and a slow reclaim of memory delays nobody.
// Used by Container. Thread rule: the loop's thread.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "covey/error.hpp"
#include "task/loop.hpp"
#include "task/reaper.hpp"

#include <functional>
#include <optional>
#include <string>

namespace covey::task {

class Updating {
  public:
    /// `resources` is OCI's linux.resources. `done` is called once, when the child has been reaped,
    /// with what went wrong; it may not destroy this object.
    Updating(Owner& owner, Reaper& reaper, cgroup::Group& group, const std::string& resources,
             std::function<void(std::optional<Error>)> done);
    /// A child that is still at work is killed; the reaper waits for it.
    ~Updating();
    Updating(const Updating&) = delete;
    Updating& operator=(const Updating&) = delete;

    [[nodiscard]] bool is_over() const noexcept { return !child_; }
    /// The container is ending: nothing more is to be written. `done` comes all the same.
    void cancel();

  private:
    void on_end(const sys::ExitStatus& status);

    UniqueFd failure_, child_;
    Reaper::Child end_;
    std::function<void(std::optional<Error>)> done_;
};

}  // namespace covey::task
