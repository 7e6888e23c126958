#include "runtime/group_of.hpp"

#include "core/container_look.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <utility>

namespace covey::runtime {
namespace {

cgroup::Group require_group(const cgroup::Host& host, const ContainerView& view,
                            std::string_view wish) {
    const auto& id = view.record.id;
    if (view.state == core::ContainerState::stopped)
        throw Error(Code::failed_precondition, fmt::format("container not running: {}", id));
    auto group = core::find_group(host, view.record);
    if (!group)
        throw Error(Code::failed_precondition,
                    fmt::format("container {} has no cgroup, so it cannot {}", id, wish))
            .with_fix("create it with cgroups (no --cgroup-manager disabled, and as root)");
    return std::move(*group);
}

}  // namespace

GroupedContainer::GroupedContainer(const std::string& root, const std::string& id,
                                   std::string_view wish)
    : folder(ContainerStore::open_existing(root).open_container(id)),
      host(cgroup::detect()),
      view(look_at(folder, &host)),
      group(require_group(host, view, wish)) {
}

}  // namespace covey::runtime
