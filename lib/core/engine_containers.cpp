#include "core/engine_containers.hpp"

#include "cgroup/oci_group.hpp"
#include "core/patient_reading.hpp"
#include "covey/error.hpp"
#include "store/start_gate.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <fcntl.h>

namespace covey::core {
namespace {

bool waits_at_gate(const EngineContainer& container) {
    const auto folder = sys::open_dir(container.root + "/" + container.id);
    return folder && store::is_waited_at(folder.value());
}

bool is_frozen(const EngineContainer& container, const cgroup::Host& host) {
    if (container.cgroup.empty()) return false;
    const auto group = cgroup::find_container_group(host, container.cgroup);
    return group && group->is_frozen();
}

struct Mark {
    std::string_view text, engine;
};

}  // namespace

std::string_view state_name(EngineContainerState state) noexcept {
    constexpr std::array<std::string_view, 4> kNames{"created", "running", "paused", "stopped"};
    return kNames.at(static_cast<std::size_t>(state));
}

EngineContainerNow look_at(const EngineContainer& container, const cgroup::Host& host, FdRef proc) {
    const auto process = sys::pidfd_open(container.pid);
    const auto stat = sys::read_stat(proc, container.pid);
    // Not by its state: a zombie is also a process whose first thread has ended before the others.
    const bool alive = process && stat && stat.value().start_time == container.start_time &&
                       !sys::wait_ended(process.value(), 0) && !sys::is_ending(proc, container.pid);
    if (!alive) return {};
    if (!container.cgroup.empty()) {
        const auto group = cgroup::identity_of(host, proc, container.pid);
        if (!group.empty() && !cgroup::is_in_group(group, container.cgroup))
            throw Error(
                Code::failed_precondition,
                fmt::format("its record says process {} in cgroup {}, but that one is in {}",
                            container.pid, container.cgroup, group))
                .with_fix("covey-runtime delete --force the container");
    }
    EngineContainerNow now;
    now.state =
        waits_at_gate(container) ? EngineContainerState::created : EngineContainerState::running;
    if (is_frozen(container, host)) now.state = EngineContainerState::paused;
    if (auto shown = read_patiently(proc, container.pid, 0))
        now.command = std::move(shown->command);
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
