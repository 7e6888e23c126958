#include "api/engine_container_codec.hpp"

#include "api/error_codec.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

Json engine_container_json(const EngineContainerView& view) {
    const auto& facts = view.facts;
    const bool stopped = view.now.state == core::ContainerState::stopped;
    Json document{{"id", facts.record.id},
                  {"engine", facts.engine},
                  {"root", facts.root},
                  {"sandbox", facts.pod},
                  {"name", facts.name},
                  {"state", core::state_name(view.now.state)},
                  {"pid", stopped ? 0 : facts.record.pid},
                  {"bundle", facts.record.bundle},
                  {"command", view.now.command},
                  {"cgroup", facts.record.cgroup.path},
                  {"createdAt", facts.record.created},
                  {"resourceVersion", view.resource_version}};
    return document;
}

bool fits(const EngineContainerView& view, const ContainerFilter& filter) {
    // Engines' labels are theirs: coveyd does not know them.
    return filter.labels.empty() && (!filter.sandbox || *filter.sandbox == view.facts.pod) &&
           (!filter.state || *filter.state == core::state_name(view.now.state));
}

}  // namespace

void require_engine_filter(const std::optional<std::string>& engine) {
    if (!engine || std::find(kEngines.begin(), kEngines.end(), *engine) != kEngines.end()) return;
    const std::vector<std::string> names{kEngines.begin(), kEngines.end()};
    throw Error(Code::invalid_argument, fmt::format("query parameter 'engine': no engine '{}'{}",
                                                    *engine, did_you_mean(*engine, kEngines)))
        .with_fix("use one of " + join(names, ", "));
}

Response engine_container_response(const EngineContainerView& view) {
    return json_response(engine_container_json(view));
}

Response list_response(const AllContainers& containers, const ContainerFilter& filter,
                       const std::optional<std::string>& engine, std::uint64_t resource_version) {
    Json items = Json::array();
    for (const auto& view : containers.own)
        if ((!engine || *engine == kOwnEngine) && filter.fits(view))
            items.push_back(container_json(view));
    for (const auto& view : containers.engines)
        if ((!engine || *engine == view.facts.engine) && fits(view, filter))
            items.push_back(engine_container_json(view));
    return json_response({{"items", std::move(items)}, {"resourceVersion", resource_version}});
}

}  // namespace covey::daemon
