// The annotations covey.dev/pid and covey.dev/access (proto/annotations.md): how a container that
// an engine makes shares its pod's PID namespace. Called by create and exec. Thread rule: functions
// of values; what opens a namespace blocks as procfs does.
#pragma once

#include "base/unique_fd.hpp"
#include "runtime/container_store.hpp"
#include "spec/access.hpp"
#include "spec/engine_annotations.hpp"
#include "spec/tables.hpp"
#include "spec/types.hpp"

#include <optional>
#include <string_view>

namespace covey::runtime {

using spec::Annotations;

struct Sharing {
    std::optional<spec::PidMode> pid;  // pod, nested or container; nothing: what the spec says
    spec::Access access;
    friend bool operator==(const Sharing&, const Sharing&) = default;
};

/// What the annotations say of the container `id`: what names it (`covey.dev/pid.<name>`, by the
/// name that its engine gave it) counts before what is for the whole pod. A pod's sandbox container
/// holds the namespaces, so nothing of it is about that one. Throws invalid_argument for an unknown
/// key below covey.dev/ or an unknown value, whomever it concerns, and where annotations of engines
/// leave open whether one is about this container: none is passed over in silence.
[[nodiscard]] Sharing sharing_of(const Annotations& annotations, std::string_view id);

/// A container's PID namespace where `sharing` changes what the spec says.
struct SharedNamespace {
    UniqueFd file;  // the one to join or to nest in; invalid: none
    bool nests = false;
};
/// Writes the choice into `spec`: an entry by path names the descriptor that is returned, which
/// must stay open while it is read. A pod's namespace is that of its sandbox container
/// (pod_sandbox.hpp). Throws with the reason and the fix when the spec asks for the host's
/// namespace or the sandbox is not found.
[[nodiscard]] SharedNamespace share_namespace(spec::Spec& spec, const Sharing& sharing,
                                              const ContainerStore& store);

}  // namespace covey::runtime
