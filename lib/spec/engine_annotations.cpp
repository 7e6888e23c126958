#include "spec/engine_annotations.hpp"

#include "covey/error.hpp"

#include <fmt/format.h>

#include <array>

namespace covey::spec {
namespace {

constexpr const char* kManager = "io.container.manager";

/// One thing that is said, by containerd and by CRI-O and Podman.
struct Keys {
    const char *containerd, *crio;
};
constexpr Keys kSandbox{"io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID"};
constexpr Keys kType{"io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"};
constexpr Keys kName{"io.kubernetes.cri.container-name", "io.kubernetes.container.name"};

std::string value(const Annotations& annotations, const char* key) {
    const auto found = annotations.find(key);
    return found == annotations.end() ? std::string{} : found->second;
}

EngineKeys crio_or_podman(const Annotations& annotations) {
    const auto manager = value(annotations, kManager);
    if (manager == "libpod") return EngineKeys::podman;
    const bool crio = annotations.contains(kSandbox.crio) || annotations.contains(kType.crio) ||
                      manager == "cri-o";
    return crio ? EngineKeys::crio : EngineKeys::none;
}

bool says_containerd(const Annotations& annotations) {
    return annotations.contains(kSandbox.containerd) || annotations.contains(kType.containerd);
}

void require_equal(const Annotations& annotations, const Keys& keys) {
    const auto one = value(annotations, keys.containerd), other = value(annotations, keys.crio);
    if (one == other) return;
    throw Error(Code::invalid_argument,
                fmt::format("annotations of two engines disagree: {} is '{}', {} is '{}'",
                            keys.containerd, one, keys.crio, other))
        .with_fix(
            "leave out those that are not your engine's: whose a container is cannot be "
            "told from both");
}

}  // namespace

bool EngineWords::are_of_sandbox(std::string_view id) const {
    return sandbox == id && (type == "sandbox" || type.empty());
}

bool EngineWords::can_be_of_sandbox(std::string_view id) const {
    return are_of_sandbox(id) || (keys == EngineKeys::podman && sandbox.empty() && type.empty());
}

EngineWords engine_words(const Annotations& annotations) {
    const auto family = crio_or_podman(annotations);
    const bool crio = family != EngineKeys::none, containerd = says_containerd(annotations);
    if (crio && containerd)
        for (const auto& keys : {kSandbox, kType})
            require_equal(annotations, keys);
    const auto pick = [&](const Keys& keys) {
        if (crio != containerd) return value(annotations, crio ? keys.crio : keys.containerd);
        if (annotations.contains(keys.containerd) && annotations.contains(keys.crio))
            require_equal(annotations, keys);
        return annotations.contains(keys.crio) ? value(annotations, keys.crio)
                                               : value(annotations, keys.containerd);
    };
    EngineWords words;
    words.keys = containerd && !crio ? EngineKeys::containerd : family;
    words.sandbox = pick(kSandbox);
    words.type = pick(kType);
    words.name = pick(kName);
    return words;
}

}  // namespace covey::spec
