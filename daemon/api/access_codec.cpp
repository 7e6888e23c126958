#include "api/access_codec.hpp"

#include "api/error_codec.hpp"
#include "base/json.hpp"

#include <array>
#include <utility>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, core::kActions.size()> kNames{"see", "signal", "readRoot",
                                                                "ptrace"};

Json verdict_json(const core::Verdict& verdict) {
    Json obstacles = Json::array();
    for (const auto obstacle : verdict.obstacles)
        obstacles.push_back(core::obstacle_name(obstacle));
    Json json{{"allowed", verdict.allowed}};
    if (!verdict.allowed) {
        json["because"] = std::move(obstacles);
        json["changes"] = verdict.changes;
    }
    if (!verdict.note.empty()) json["note"] = verdict.note;
    return json;
}

}  // namespace

Response access_response(const std::vector<AccessView>& views) {
    Json items = Json::array();
    for (const auto& view : views) {
        Json item{{"from", view.from}, {"to", view.to}};
        for (std::size_t i = 0; i < kNames.size(); ++i)
            item[kNames.at(i)] = verdict_json(view.verdicts.at(i));
        items.push_back(std::move(item));
    }
    return json_response({{"items", std::move(items)}});
}

}  // namespace covey::daemon
