// An OCI seccomp profile → BPF, through libseccomp. Internal to lib/plan: called by seccomp.cpp
// when the cache has no entry. Thread rule: pure functions. Do not block.
#pragma once

#include "spec/linux_types.hpp"

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace covey::plan {

/// Goes into every cache entry: raise it when a profile would compile to another filter.
inline constexpr std::uint32_t kSeccompCompilerVersion = 1;

struct CompiledSeccomp {
    /// struct sock_filter, one word each; never empty.
    std::vector<std::uint64_t> filter;
    /// What of the profile has no effect, and why.
    std::vector<std::string> warnings;
};

/// Something in the profile cannot be a filter; `pointer` is below /linux/seccomp.
struct SeccompProblem : std::runtime_error {
    SeccompProblem(std::string where, const std::string& message)
        : std::runtime_error(message), pointer(std::move(where)) {}
    std::string pointer;
};

/// Throws SeccompProblem.
[[nodiscard]] CompiledSeccomp compile_filter(const spec::Seccomp& profile);

/// SECCOMP_RET_* with its data. An errno that is not given is EPERM, for TRACE too, as in runc.
[[nodiscard]] std::uint32_t seccomp_action(std::string_view name,
                                           std::optional<std::uint32_t> errno_ret,
                                           const std::string& pointer);
/// "2.5.4" as 0x020504 of the libseccomp that is linked.
[[nodiscard]] std::uint32_t libseccomp_version() noexcept;
[[nodiscard]] std::uint32_t native_architecture() noexcept;

}  // namespace covey::plan
