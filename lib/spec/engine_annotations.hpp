// What an engine says of a container in annotations of its own: which pod it is in, whether it is
// the one that holds the pod's namespaces, how it is called. Engines copy annotations of a pod's
// author beside theirs, so keys of two engines at once are none's word unless they agree. Used by
// covey-runtime, which acts on it, and coveyd, which shows it. Thread rule: pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace covey::spec {

using Annotations = std::map<std::string, std::string>;

/// Whose keys they are. Podman uses CRI-O's.
enum class EngineKeys { none, containerd, crio, podman };

struct EngineWords {
    EngineKeys keys = EngineKeys::none;
    std::string sandbox;  // id of the pod's sandbox container
    std::string type;     // "sandbox" or "container"
    std::string name;     // of the container within its pod
    /// It is the sandbox container of its pod: its engine says so, and `id`, which the engine alone
    /// chooses, is the sandbox's.
    [[nodiscard]] bool are_of_sandbox(std::string_view id) const;
    /// The same of one that another container names. Podman says nothing of its infra container.
    [[nodiscard]] bool can_be_of_sandbox(std::string_view id) const;
};

/// Throws invalid_argument naming both keys when two engines' disagree: an engine writes its own
/// last, so a second one's come from whoever could add annotations.
[[nodiscard]] EngineWords engine_words(const Annotations& annotations);

}  // namespace covey::spec
