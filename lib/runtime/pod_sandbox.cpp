#include "runtime/pod_sandbox.hpp"

#include "base/id.hpp"
#include "covey/error.hpp"
#include "launch/launcher.hpp"
#include "runtime/status.hpp"
#include "spec/engine_annotations.hpp"
#include "spec/load.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <array>

#include <fcntl.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

using spec::NamespaceType;

/// What an engine has all containers of a pod share, each that the pod does not have from the host.
constexpr std::array kPodTypes{NamespaceType::network, NamespaceType::ipc, NamespaceType::uts,
                               NamespaceType::pid};

class Search {
  public:
    Search(const spec::Spec& spec, spec::PidMode mode, const ContainerStore& store)
        : spec_(spec),
          mode_(mode),
          store_(store),
          proc_(sys::open_proc().or_throw("open", "/proc")) {}

    UniqueFd run() {
        const auto words = spec::engine_words(spec_.annotations);
        id_ = words.sandbox;
        if (id_.empty()) fail("no annotation of the engine's says which sandbox the pod has");
        if (!is_valid_container_id(id_) || !store_.has(id_))
            fail(fmt::format("there is no container {}", id_));
        const auto folder = store_.open_container(id_);
        const auto view = look_at(folder);
        if (!view.init) fail(fmt::format("container {} is stopped", id_));
        const auto its_words = spec::engine_words(view.record.annotations);
        if (its_words.keys != words.keys || !its_words.can_be_of_sandbox(id_))
            fail(fmt::format("container {} is not a pod's sandbox of the same engine", id_));
        check_cgroup_parent(folder);
        check_shared(view.record.pid);
        auto file = open_of(view.record.pid, NamespaceType::pid);
        // Its number may have been reused by now; its pidfd tells.
        if (!look_at(folder).init) fail(fmt::format("container {} has ended", id_));
        return file;
    }

  private:
    [[noreturn]] void fail(const std::string& why) const {
        throw Error(Code::failed_precondition,
                    fmt::format("annotation covey.dev/pid={}: {}", spec::pid_mode_name(mode_), why))
            .with_fix(
                "the pod's sandbox must be a running container of covey-runtime, with the "
                "same --root; or take the annotation out");
    }

    [[nodiscard]] UniqueFd open_of(pid_t pid, NamespaceType type) const {
        const auto name = spec::info(type).proc_name;
        return sys::open_namespace(proc_, pid, name)
            .or_throw("open", fmt::format("{} namespace of process {}", name, pid));
    }

    void check_cgroup_parent(const ContainerFolder& folder) const {
        const auto text = sys::read_file_at(folder.fd(), launch::kConfigName, spec::kLargestConfig)
                              .or_throw("read configuration of container", id_);
        const auto its = spec::load(text).linux.cgroups_path;
        const auto& own = spec_.linux.cgroups_path;
        if (cgroup_parent(own) == cgroup_parent(its)) return;
        fail(fmt::format("container {} is of another pod: its cgroupsPath is '{}', this one's '{}'",
                         id_, its, own));
    }

    /// An entry by path that is the sandbox's, and not everybody's.
    void check_shared(pid_t sandbox) const {
        for (const auto& entry : spec_.linux.namespaces)
            for (const auto type : kPodTypes)
                if (entry.type == type && !entry.path.empty() && is_of(sandbox, entry)) return;
        fail(
            fmt::format("container {} is of another pod: this one joins none of its network, ipc, "
                        "uts or pid namespaces by path",
                        id_));
    }

    [[nodiscard]] bool is_of(pid_t sandbox, const spec::Namespace& entry) const {
        const auto file = sys::open(entry.path, O_RDONLY | O_NOCTTY | O_NONBLOCK)
                              .or_throw("open namespace", entry.path);
        const auto id = [&](FdRef one) {
            return sys::namespace_id(one).or_throw("stat namespace", entry.path);
        };
        if (sys::namespace_type(file).value_or(0) != spec::info(entry.type).clone_flag)
            return false;
        return id(file) == id(open_of(sandbox, entry.type)) &&
               id(file) != id(open_of(::getpid(), entry.type));
    }

    const spec::Spec& spec_;
    spec::PidMode mode_;
    const ContainerStore& store_;
    UniqueFd proc_;
    std::string id_;
};

}  // namespace

UniqueFd pid_namespace_of_sandbox(const spec::Spec& spec, spec::PidMode mode,
                                  const ContainerStore& store) {
    return Search{spec, mode, store}.run();
}

std::string_view cgroup_parent(std::string_view cgroups_path) {
    // SLICE:PREFIX:NAME, or a path.
    const auto end = cgroups_path.find(':') != std::string_view::npos ? cgroups_path.find(':')
                                                                      : cgroups_path.rfind('/');
    return cgroups_path.substr(0, end == std::string_view::npos ? 0 : end);
}

}  // namespace covey::runtime
