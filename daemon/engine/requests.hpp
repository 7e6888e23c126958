// What the engine refuses whatever the API has checked before, and when two requests are the same.
// Used by the engine only. Thread rule: pure functions.
#pragma once

#include "core/lifecycle.hpp"
#include "engine/registry.hpp"

namespace covey::daemon {

/// Throws invalid_argument naming what is wrong.
void require_valid(const CreateSandboxAction& action);
void require_valid(const CreateContainerAction& action);

/// Throw failed_precondition naming the object, its state and what is allowed then.
void require(const ContainerEntry& container, core::ContainerEvent event);
/// Throws failed_precondition, saying why, when its state is unknown.
void require_known(const SandboxEntry& sandbox);
/// Throws sandbox_gone when nothing can begin in the sandbox any more, and what require_known does.
void require_open(const SandboxEntry& sandbox);

[[nodiscard]] Error already_exists(const std::string& what, const std::string& id);

}  // namespace covey::daemon
