// An OCI bundle in a temporary folder: a root filesystem that holds the static `probe` program (and
// Debian's static busybox where it is installed), and a config.json like that of `runc spec`.
// Used by tests of runtime, core, shim and coveyd. Thread rule: the test thread.
#pragma once

#include "support/temporary_folder.hpp"

#include <string>
#include <vector>

namespace covey::test {

struct BundleOptions {
    std::vector<std::string> args{"/bin/probe", "sleep", "forever"};
    /// A JSON merge patch (RFC 7386) on the configuration: {"root":{"readonly":false}}.
    std::string patch = "{}";
};

class Bundle {
  public:
    explicit Bundle(const BundleOptions& options = {});
    /// {"/bin/probe", …}: the usual case.
    static Bundle probe(const std::vector<std::string>& words);

    /// Absolute; gone with the object.
    [[nodiscard]] const std::string& path() const noexcept { return folder_.path(); }
    [[nodiscard]] std::string rootfs() const { return path() + "/rootfs"; }
    /// Replaces config.json.
    void configure(const BundleOptions& options) const;

  private:
    TemporaryFolder folder_;
};

/// Where this build's programs are (`<build>/bin`).
[[nodiscard]] std::string programs_folder();
/// The runtime under test: $COVEY_RUNTIME, else this build's covey-runtime.
[[nodiscard]] std::string runtime_program();
/// Lets libcovey find this build's covey-shim and covey-pause. Called once, before any thread.
void use_built_programs();

}  // namespace covey::test
