// What the tests of seccomp share: a compiled profile that can be asked what it would do, and short
// ways to write profiles. Thread rule: values. Does not block.
#pragma once

#include "plan/plan.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>

#include <seccomp.h>

namespace covey::plan::test {

inline constexpr std::uint64_t kHigh = std::uint64_t{1} << 32;
inline constexpr auto kEperm = SCMP_ACT_ERRNO(EPERM);
inline constexpr auto kEnosys = SCMP_ACT_ERRNO(ENOSYS);

class Filter {
  public:
    /// A profile as linux.seccomp has it, in JSON.
    explicit Filter(const std::string& profile);

    /// What the filter answers to a call of that name in the native architecture.
    std::uint32_t operator()(const char* name, std::array<std::uint64_t, 6> args = {}) const;
    std::uint32_t on(std::uint32_t token, const char* name,
                     std::array<std::uint64_t, 6> args = {}) const;
    std::uint32_t raw(std::uint32_t architecture, int number,
                      std::array<std::uint64_t, 6> args = {}) const;
    [[nodiscard]] const LaunchPlan& plan() const { return plan_; }

  private:
    LaunchPlan plan_;
};

/// The pointer of the one problem that the profile has.
[[nodiscard]] std::string problem_of(const std::string& profile);
/// Allows `syscall` where its first argument compares so, and nothing else.
[[nodiscard]] std::string rule(const char* syscall, const char* op, std::uint64_t value,
                               std::uint64_t two = 0);

}  // namespace covey::plan::test
