#include "core/engine_containers.hpp"

#include "core/container_look.hpp"
#include "core/patient_reading.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace covey::core {
namespace {

struct Mark {
    std::string_view text, engine;
};

}  // namespace

EngineContainerNow look_at(const EngineContainer& container, const cgroup::Host& host, FdRef proc) {
    const auto& record = container.record;
    if (!open_init(record, proc)) return {};
    if (!record.cgroup.path.empty()) {
        const auto group = cgroup::identity_of(host, proc, record.pid);
        if (!group.empty() && !cgroup::is_in_group(group, record.cgroup.path))
            throw Error(
                Code::failed_precondition,
                fmt::format("its record says process {} in cgroup {}, but that one is in {}",
                            record.pid, record.cgroup.path, group))
                .with_fix("covey-runtime delete --force the container");
    }
    EngineContainerNow now;
    const auto folder = sys::open_dir(container.root + "/" + record.id);
    now.state = folder ? state_of_living(folder.value(), find_group(host, record))
                       : ContainerState::running;
    if (auto shown = read_patiently(proc, record.pid, 0)) now.command = std::move(shown->command);
    return now;
}

std::string engine_of(const std::map<std::string, std::string>& annotations, std::string_view root,
                      std::string_view bundle) {
    // What an engine says of itself on the command line counts before annotations, which may be a
    // tenant's. Docker's and BuildKit's shims are containerd's: their own marks come first.
    constexpr std::array kPaths{Mark{"/moby", "docker"}, Mark{"/docker/", "docker"},
                                Mark{"/buildkit/", "buildkit"}, Mark{"/buildah", "buildah"},
                                Mark{"/containerd/", "containerd"}};
    for (const auto& mark : kPaths)
        if (root.find(mark.text) != std::string_view::npos ||
            bundle.find(mark.text) != std::string_view::npos)
            return std::string{mark.engine};
    if (const auto manager = annotations.find("io.container.manager");
        manager != annotations.end()) {
        if (manager->second == "libpod") return "podman";
        if (manager->second == "cri-o") return "cri-o";
    }
    // Podman uses CRI-O's keys too, so its own come first.
    constexpr std::array kKeys{Mark{"io.podman.annotations.", "podman"},
                               Mark{"io.kubernetes.cri-o.", "cri-o"},
                               Mark{"io.kubernetes.cri.", "containerd"}};
    for (const auto& mark : kKeys)
        if (const auto first = annotations.lower_bound(std::string{mark.text});
            first != annotations.end() && first->first.starts_with(mark.text))
            return std::string{mark.engine};
    return "oci";
}

}  // namespace covey::core
