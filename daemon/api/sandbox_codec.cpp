#include "api/sandbox_codec.hpp"

#include "api/access_field_codec.hpp"
#include "api/body_reader.hpp"
#include "api/container_codec.hpp"
#include "api/error_codec.hpp"
#include "api/id_mapping_codec.hpp"
#include "base/id.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;
using Kind = core::NamespaceWish::Kind;

constexpr std::array<std::string_view, 10> kSandboxFields{
    "id",         "hostname", "pidMode",      "access", "pid1Signals",
    "namespaces", "sysctls",  "cgroupParent", "labels", "annotations"};
constexpr std::array<std::string_view, 5> kNamespaces{"net", "ipc", "uts", "user", "time"};
constexpr std::array<std::string_view, 1> kPathFields{"path"};
constexpr std::array<std::string_view, 3> kUserFields{"path", "uidMappings", "gidMappings"};
constexpr std::size_t kLongestHostname = 64;  // __NEW_UTS_LEN

/// Nothing when the path is fine, else what it must be.
std::optional<std::string> path_fault(std::string_view path) {
    if (!path.starts_with('/')) return "must be an absolute path";
    if (path.size() > kLongestPath) return fmt::format("must have at most {} bytes", kLongestPath);
    for (const auto part : split(path, '/'))
        if (part == "..") return "must not contain '..'";
    return std::nullopt;
}

std::optional<core::NamespaceWish> read_wish(BodyReader& reader, std::string_view name) {
    const auto* const value = reader.find(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) {
        const auto text = value->get<std::string>();
        if (text == "new") return core::NamespaceWish{Kind::create, {}};
        if (text == "host") return core::NamespaceWish{Kind::host, {}};
    }
    const bool is_user = name == "user";
    if (!value->is_object()) {
        reader.problem(
            name,
            is_user
                ? R"(must be "new", "host", {"path": "/…"} or {"uidMappings": […], "gidMappings": […]})"
                : R"(must be "new", "host" or {"path": "/…"})");
        return std::nullopt;
    }
    if (is_user && !value->contains("path")) {
        BodyReader wish{*value, reader.at(name), reader.problems(), kUserFields};
        auto uids = read_id_mappings(wish, "uidMappings");
        return core::NamespaceWish{
            Kind::create, {}, std::move(uids), read_id_mappings(wish, "gidMappings")};
    }
    BodyReader wish{*value, reader.at(name), reader.problems(), kPathFields};
    wish.require("path", "name the namespace's file, such as /proc/4711/ns/net");
    const auto path = wish.text("path");
    if (!path) return std::nullopt;
    if (const auto fault = path_fault(*path)) wish.problem("path", *fault);
    return core::NamespaceWish{Kind::path, *path};
}

/// A pod is wholly inside its user namespace or wholly outside.
void check_user(BodyReader& reader, const CreateSandboxAction& action) {
    const auto user = action.namespaces.find("user");
    if (user == action.namespaces.end() || user->second.kind == Kind::host) return;
    if (action.pid_mode == spec::PidMode::node)
        reader.problem("pidMode",
                       "'node' cannot be the mode of containers in a user namespace: the host's "
                       "PID namespace does not belong to it",
                       "use pod, nested or container, or remove namespaces.user");
    for (const char* name : {"net", "ipc", "uts"}) {
        const auto wish = action.namespaces.find(name);
        if (wish != action.namespaces.end() && wish->second.kind == Kind::host)
            reader.problems().add(
                fmt::format("/namespaces/{}", name),
                "the host's does not belong to the pod's user namespace: a pod is wholly inside "
                "one or wholly outside",
                fmt::format("remove namespaces.{} or namespaces.user", name));
    }
}

void read_namespaces(BodyReader& reader, CreateSandboxAction& action) {
    const auto* const value = reader.find("namespaces");
    if (value == nullptr) return;
    BodyReader namespaces{*value, reader.at("namespaces"), reader.problems(), kNamespaces};
    for (const auto name : kNamespaces)
        if (auto wish = read_wish(namespaces, name))
            action.namespaces.emplace(name, std::move(*wish));
}

void read_texts(BodyReader& reader, CreateSandboxAction& action) {
    if (auto hostname = reader.text("hostname")) {
        if (hostname->size() > kLongestHostname)
            reader.problem("hostname", fmt::format("must have at most {} bytes", kLongestHostname));
        // As in config.json: a line more would be one in whatever prints it.
        if (std::any_of(hostname->begin(), hostname->end(),
                        [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; }))
            reader.problem("hostname", "must not contain control bytes");
        action.hostname = std::move(*hostname);
    }
    if (auto parent = reader.text("cgroupParent")) {
        if (const auto fault = path_fault(*parent))
            reader.problem("cgroupParent", *fault, "use a path such as /covey or /kubepods/pod1");
        while (parent->size() > 1 && parent->ends_with('/'))
            parent->pop_back();
        action.cgroup_parent = std::move(*parent);
    }
}

}  // namespace

std::optional<spec::PidMode> read_pid_mode(BodyReader& reader) {
    const auto name = reader.text("pidMode");
    if (!name) return std::nullopt;
    const auto mode = spec::pid_mode(*name);
    if (!mode)
        reader.problem(
            "pidMode",
            fmt::format("unknown pidMode '{}'{}", *name, did_you_mean(*name, spec::kPidModeNames)),
            "use pod, nested, container, target or node");
    return mode;
}

std::optional<spec::Pid1Signals> read_pid1_signals(BodyReader& reader) {
    const auto name = reader.text("pid1Signals");
    if (!name) return std::nullopt;
    const auto choice = spec::pid1_signals(*name);
    if (!choice)
        reader.problem("pid1Signals",
                       fmt::format("unknown pid1Signals '{}'{}", *name,
                                   did_you_mean(*name, spec::kPid1SignalsNames)),
                       "use ignore or route");
    return choice;
}

std::string read_id(BodyReader& reader, const std::optional<std::string>& from_path,
                    std::string_view what) {
    const auto id = reader.text("id");
    if (!from_path && id && !is_valid_id(*id)) require_valid_id(*id, what);
    if (from_path && id && *id != *from_path)
        reader.problem("id", fmt::format("is '{}', but the path says '{}'", *id, *from_path),
                       "remove the field 'id'");
    return from_path ? *from_path : id.value_or("");
}

CreateSandboxAction decode_sandbox(const std::optional<std::string>& id, std::string_view body) {
    if (id) require_valid_id(*id, "sandbox id");
    const auto document = parse_body(body);
    BodyProblems problems;
    BodyReader reader{document, "", problems, kSandboxFields};
    CreateSandboxAction action;
    action.id = read_id(reader, id, "sandbox id");
    action.pid_mode = read_pid_mode(reader).value_or(spec::PidMode::nested);
    if (action.pid_mode == spec::PidMode::target)
        reader.problem("pidMode", "'target' cannot be the mode of a whole sandbox",
                       "name it, with the target, in the container's request");
    if (const auto access = read_access(reader)) action.access = *access;
    action.pid1_signals = read_pid1_signals(reader).value_or(spec::Pid1Signals::ignore);
    read_texts(reader, action);
    read_namespaces(reader, action);
    check_user(reader, action);
    action.sysctls = reader.text_map("sysctls");
    action.labels = reader.text_map("labels");
    action.annotations = reader.text_map("annotations");
    problems.throw_if_any();
    return action;
}

Json sandbox_json(const SandboxView& view) {
    const auto& facts = view.facts;
    Json namespaces = Json::object();
    for (const std::string name : {"pid", "net", "ipc", "uts", "user", "time"})
        if (const auto found = facts.namespaces.find(name); found != facts.namespaces.end())
            namespaces[name] = {{"path", found->second.path}, {"inode", found->second.inode}};
    Json json{{"id", facts.id},
              {"state", core::state_name(facts.state)},
              {"pid", facts.pause_pid},
              {"hostname", view.request.hostname.empty() ? facts.id.substr(0, kLongestHostname)
                                                         : view.request.hostname},
              {"pidMode", spec::pid_mode_name(view.request.pid_mode)},
              {"access", access_json(view.request.access)},
              {"pid1Signals", spec::pid1_signals_name(view.request.pid1_signals)},
              {"warnings", facts.warnings},
              {"namespaces", std::move(namespaces)},
              {"containers", view.containers},
              {"cgroup", facts.cgroup},
              {"sysctls", view.request.sysctls},
              {"labels", view.request.labels},
              {"annotations", view.request.annotations},
              {"createdAt", rfc3339(facts.created_at)}};
    if (!facts.uid_mappings.empty()) {
        json["uidMappings"] = id_mappings_json(facts.uid_mappings);
        json["gidMappings"] = id_mappings_json(facts.gid_mappings);
    }
    if (facts.stopped_at != 0) json["stoppedAt"] = rfc3339(facts.stopped_at);
    if (facts.exit) json["exit"] = exit_json(*facts.exit);
    if (!view.problem.empty()) json["problem"] = view.problem;
    if (facts.record_stale) json["recordStale"] = true;
    json["resourceVersion"] = view.resource_version;
    return json;
}

bool SandboxFilter::fits(const SandboxView& view) const {
    return has_labels(view.request.labels, labels) &&
           (!state || *state == core::state_name(view.facts.state));
}

Response sandbox_response(const SandboxView& view, unsigned status) {
    return json_response(sandbox_json(view), status);
}

Response list_response(const std::vector<SandboxView>& views, const SandboxFilter& filter,
                       std::uint64_t resource_version) {
    Json items = Json::array();
    for (const auto& view : views)
        if (filter.fits(view)) items.push_back(sandbox_json(view));
    return json_response({{"items", std::move(items)}, {"resourceVersion", resource_version}});
}

void require_state_filter(const std::optional<std::string>& state,
                          std::span<const std::string_view> states) {
    if (!state || std::find(states.begin(), states.end(), *state) != states.end()) return;
    const std::vector<std::string> names{states.begin(), states.end()};
    throw Error(Code::invalid_argument, fmt::format("query parameter 'state': no state '{}'{}",
                                                    *state, did_you_mean(*state, states)))
        .with_fix("use one of " + join(names, ", "));
}

void require_label_filters(const std::vector<std::string>& filters) {
    for (const auto& filter : filters)
        if (filter.find('=') == std::string::npos)
            throw Error(Code::invalid_argument,
                        fmt::format("query parameter 'label': '{}' must be NAME=VALUE", filter))
                .with_fix("write ?label=app=web");
}

bool has_labels(const StringMap& labels, const std::vector<std::string>& filters) {
    return std::all_of(filters.begin(), filters.end(), [&labels](const std::string& filter) {
        const auto equals = filter.find('=');
        const auto found = labels.find(filter.substr(0, equals));
        return found != labels.end() && found->second == filter.substr(equals + 1);
    });
}

}  // namespace covey::daemon
