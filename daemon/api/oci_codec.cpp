#include "api/oci_codec.hpp"

#include "api/body_reader.hpp"
#include "api/error_codec.hpp"
#include "api/id_mapping_codec.hpp"
#include "base/json.hpp"
#include "spec/id_mappings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

/// OCI's word and ours.
constexpr std::array kJoined{
    std::pair{std::string_view{"pid"}, "pid"},   std::pair{std::string_view{"network"}, "net"},
    std::pair{std::string_view{"ipc"}, "ipc"},   std::pair{std::string_view{"uts"}, "uts"},
    std::pair{std::string_view{"time"}, "time"}, std::pair{std::string_view{"user"}, "user"},
};

Json::iterator find_entry(Json& entries, std::string_view type) {
    return std::find_if(entries.begin(), entries.end(), [type](const Json& entry) {
        return entry.value("type", std::string{}) == type;
    });
}

void require_entries(const Json& entries, const core::SandboxFacts& facts) {
    if (!entries.is_array())
        throw Error(Code::invalid_argument, "/linux/namespaces: must be an array");
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const Json& entry = entries[i];
        if (!entry.is_object() || !entry.contains("type") || !entry["type"].is_string())
            throw Error(Code::invalid_argument,
                        fmt::format("/linux/namespaces/{}: must be an object with a type", i));
    }
    // A user namespace of its own would own none of the sandbox's namespaces.
    if (facts.namespaces.contains("user")) return;
    for (const Json& entry : entries)
        if (entry["type"] == "user")
            throw Error(Code::invalid_spec,
                        "/linux/namespaces: has a user namespace, but the sandbox has none")
                .with_fix("remove the entry 'user' and the id mappings");
}

void join_namespaces(Json& entries, const core::SandboxFacts& facts) {
    for (const auto& [type, name] : kJoined) {
        const auto entry = find_entry(entries, type);
        const auto ours = facts.namespaces.find(name);
        const bool ours_is_host = ours == facts.namespaces.end() || ours->second.path.empty();
        if (ours_is_host) {
            // No entry means the host's.
            if (entry != entries.end()) entries.erase(entry);
        } else if (entry != entries.end()) {
            *entry = {{"type", type}, {"path", ours->second.path}};
        } else {
            entries.push_back({{"type", type}, {"path", ours->second.path}});
        }
    }
}

/// Runtimes want the mappings of a user namespace also where they join it. Those that the caller
/// has already are what its root filesystem was made for.
void map_ids(Json& system, const char* key, const std::vector<spec::IdMapping>& maps) {
    auto ours = id_mappings_json(maps);
    const auto there = system.find(key);
    const bool has_none = there == system.end() || there->is_null() || there->empty();
    if (!has_none && *there != ours)
        throw Error(Code::invalid_spec,
                    fmt::format("/linux/{}: are not the sandbox's, which are {}", key,
                                spec::mappings_text(maps)))
            .with_fix("remove them, or create the sandbox with these");
    system[key] = std::move(ours);
}

}  // namespace

std::string join_oci_config(std::string_view text, const SandboxView& sandbox) {
    if (sandbox.facts.state != core::SandboxState::ready)
        throw Error(Code::failed_precondition,
                    fmt::format("sandbox '{}' is {}, not ready", sandbox.facts.id,
                                core::state_name(sandbox.facts.state)))
            .with_fix("delete it and create it again");
    // The strict reader checks; the document is read once more because it must keep its order.
    if (!parse_body(text).is_object())
        throw Error(Code::invalid_argument, "the body: must be an object")
            .with_fix("send the bundle's config.json");
    Json config = text.find_first_not_of(" \t\r\n") == std::string_view::npos ? Json::object()
                                                                              : Json::parse(text);
    Json& system = config["linux"];
    if (system.is_null()) system = Json::object();
    if (!system.is_object()) throw Error(Code::invalid_argument, "/linux: must be an object");
    Json& entries = system["namespaces"];
    if (entries.is_null()) entries = Json::array();
    require_entries(entries, sandbox.facts);
    join_namespaces(entries, sandbox.facts);
    if (sandbox.facts.namespaces.contains("user")) {
        map_ids(system, "uidMappings", sandbox.facts.uid_mappings);
        map_ids(system, "gidMappings", sandbox.facts.gid_mappings);
    }
    config.erase("hostname");
    config.erase("domainname");
    return to_text(config);
}

}  // namespace covey::daemon
