// Where Covey's helper programs are, and sealed copies of them: a pod that could write to
// /proc/<shim>/exe (CVE-2019-5736's way) would find a read-only memory file, not the host's binary.
// Used by coveyd (once at start) and by the façade (once for each process).
// Thread rule: any thread. Blocks for the copy (a few megabytes in memory).
#pragma once

#include "base/unique_fd.hpp"

#include <string>
#include <string_view>

namespace covey::core {

/// One of Covey's programs, opened for executing it by descriptor; looked for in `folder` (the
/// caller's own; "": that of /proc/self/exe), then in the libexec folder, then in COVEY_LIBEXEC.
/// Throws Code::unavailable naming every place looked at.
[[nodiscard]] UniqueFd open_program(std::string_view name, const std::string& folder = {});

/// Sealed copies of the programs, made once for each process and shared by all its sandboxes.
/// Found beside our own executable (/proc/self/exe), then in the libexec folder, then in
/// COVEY_LIBEXEC. Throws Code::unavailable naming every place looked at.
class Programs {
  public:
    static Programs load();
    [[nodiscard]] FdRef shim() const noexcept { return shim_; }
    [[nodiscard]] FdRef pause() const noexcept { return pause_; }

  private:
    UniqueFd shim_, pause_;
};

}  // namespace covey::core
