// What a sandbox's request says of its namespaces, checked and opened: which are new, which are
// joined, and that all of them belong to its user namespace if it has one. Called by Sandbox.
// Thread rule: the loop's thread. Blocks until a new user namespace has its maps.
#pragma once

#include "base/unique_fd.hpp"
#include "core/messages.hpp"
#include "launch/sandbox_setup.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace covey::shim {

struct PodNamespaceType {
    const char* name;  // the API's and /proc/<pid>/ns's
    std::uint64_t flag;
    bool by_default;
};
/// Besides pid, which is always new.
extern const std::array<PodNamespaceType, 5> kPodNamespaceTypes;

[[nodiscard]] core::NamespaceWish wish_for(const core::SandboxConfig& config,
                                           const PodNamespaceType& type);

/// Descriptors that the setup borrows.
struct OpenedNamespaces {
    std::uint64_t new_ones = 0;  // CLONE_NEW…
    UniqueFd user;               // invalid: the host's
    std::vector<UniqueFd> joined;
};
/// Tells the setup of them. Throws invalid_argument for a path that is no namespace of its type,
/// for what would change the host, and for a mixture of user namespaces.
[[nodiscard]] OpenedNamespaces open_namespaces(const core::SandboxConfig& config,
                                               launch::SandboxSetup& setup);

}  // namespace covey::shim
