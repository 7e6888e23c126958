// What the tests of covey::Sandbox and covey::Container share: a state root of their own and the
// built programs. Thread rule: the test thread.
#pragma once

#include "catch.hpp"
#include "covey/sandbox.hpp"
#include "support/bundle.hpp"
#include "support/leak_check.hpp"

#include <filesystem>
#include <string>

namespace covey::test {

inline constexpr std::chrono::seconds kLong{20};

/// Before main: libcovey makes its sealed copies of the programs once and keeps them, which is no
/// leak of the case that happens to come first. The create itself is refused.
inline const bool kFacadePrepared = [] {
    use_built_programs();
    SandboxOptions options;
    options.state_root = "relative";
    try {
        (void)Sandbox::create("none", options);
    } catch (const Error&) {
        return true;
    }
    return false;
}();

/// A state root, and options that use it. A case that fails half-way does not spoil the next: what
/// it leaves is discarded.
class Pod {
  public:
    Pod() { options_.state_root = root_.path(); }
    Pod(const Pod&) = delete;
    Pod& operator=(const Pod&) = delete;
    ~Pod() {
        std::error_code none;
        for (const auto& entry :
             std::filesystem::directory_iterator{root_.path() + "/sandboxes", none}) {
            try {
                Sandbox::discard(entry.path().filename().string(), root_.path());
            } catch (const Error& error) {
                WARN(error.detail());
            }
        }
    }
    Sandbox create(const std::string& id) { return Sandbox::create(id, options_); }
    [[nodiscard]] const std::string& root() const { return root_.path(); }
    [[nodiscard]] SandboxOptions& options() { return options_; }

  private:
    TemporaryFolder root_;
    SandboxOptions options_;
};

}  // namespace covey::test
