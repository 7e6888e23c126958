#include "api/container_codec.hpp"

#include "api/access_field_codec.hpp"
#include "api/body_reader.hpp"
#include "api/container_field_codec.hpp"
#include "api/debug_codec.hpp"
#include "api/error_codec.hpp"
#include "api/sandbox_codec.hpp"
#include "base/id.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 11> kContainerFields{
    "id",          "sandbox",      "bundle", "pidMode", "target", "access",
    "pid1Signals", "capabilities", "stdio",  "labels",  "seccomp"};
constexpr std::array<std::string_view, 3> kKillFields{"signal", "all", "pid"};
constexpr std::array<std::string_view, 1> kStopFields{"timeout"};
constexpr double kLongestStop = 86400;  // seconds

/// pidMode and target, which belong together.
void read_mode(BodyReader& reader, CreateContainerAction& action) {
    action.pid_mode = read_pid_mode(reader);
    const auto target = reader.text("target");
    if (target) {
        require_valid_id(*target, "target");
        action.target = *target;
    }
    const bool wants = action.pid_mode == spec::PidMode::target;
    if (wants && !target)
        reader.problem("target", "is missing: pidMode 'target' joins another container's processes",
                       "name a container of the same sandbox");
    if (target && !wants)
        reader.problem("target", "has no meaning without pidMode 'target'",
                       "set pidMode to \"target\", or remove the field 'target'");
}

/// The bundle has the filter; this is what people call it.
void read_seccomp(BodyReader& reader, std::string& seccomp) {
    const auto name = reader.text("seccomp");
    if (!name) return;
    if (*name != "default" && *name != "unconfined" && !name->starts_with('/'))
        reader.problem("seccomp", fmt::format("'{}' is no name of a profile", *name),
                       "use default, unconfined or the absolute path of a profile");
    seccomp = *name;
}

void read_bundle(BodyReader& reader, std::string& bundle) {
    reader.require("bundle", "name the absolute path of an OCI bundle on the host");
    if (auto path =
            read_path(reader, "bundle", "name the absolute path of an OCI bundle on the host"))
        bundle = std::move(*path);
}

void read_sandbox(BodyReader& reader, std::string& sandbox) {
    reader.require("sandbox", "name the sandbox: GET /v1/sandboxes lists them");
    const auto id = reader.text("sandbox");
    if (!id) return;
    require_valid_id(*id, "sandbox id");
    sandbox = *id;
}

/// "SIGHUP", "HUP", "1" or 1.
int read_signal(BodyReader& reader, int absent) {
    const auto* const value = reader.find("signal");
    if (value == nullptr) return absent;
    const bool is_number = value->is_number_integer();
    if (!value->is_string() && !is_number) {
        reader.problem("signal", "must be a signal's name or number");
        return absent;
    }
    const std::string name = is_number ? value->dump() : value->get<std::string>();
    if (name == "0") return 0;  // kill(2): is it there?
    const auto number = spec::signal_number(name);
    // No name is near a number.
    const bool is_name = !is_number && !name.empty() && !parse_i64(name);
    if (!number)
        reader.problem(
            "signal",
            fmt::format("unknown signal '{}'{}", name,
                        is_name ? did_you_mean(to_upper(name), spec::signal_names()) : ""),
            "use a name such as SIGHUP or HUP, or a number from 0 to 64");
    return number.value_or(absent);
}

}  // namespace

CreateContainerAction decode_container(const std::string& id, std::string_view body) {
    require_valid_id(id, "container id");
    const auto document = parse_body(body);
    BodyProblems problems;
    BodyReader reader{document, "", problems, kContainerFields};
    CreateContainerAction action;
    action.id = read_id(reader, id, "container id");
    read_sandbox(reader, action.sandbox);
    read_bundle(reader, action.bundle);
    read_mode(reader, action);
    action.access = read_access(reader);
    action.pid1_signals = read_pid1_signals(reader);
    read_capabilities(reader, action.add_capabilities, action.drop_capabilities);
    read_stdio(reader, action.stdio);
    read_seccomp(reader, action.seccomp);
    action.labels = reader.text_map("labels");
    problems.throw_if_any();
    return action;
}

KillAction decode_kill(const std::string& id, std::string_view body) {
    require_valid_id(id, "container id");
    const auto document = parse_body(body);
    BodyProblems problems;
    BodyReader reader{document, "", problems, kKillFields};
    KillAction action;
    action.container = id;
    action.signal = read_signal(reader, action.signal);
    action.all = reader.flag("all").value_or(false);
    if (const auto pid = reader.number("pid", 1, sys::kLargestPid)) {
        if (*pid != std::floor(*pid)) reader.problem("pid", "must be a whole number");
        if (action.all) reader.problem("pid", "one process, or all?", "leave out pid or all");
        action.pid = static_cast<pid_t>(*pid);
    }
    problems.throw_if_any();
    return action;
}

StopContainerAction decode_stop(const std::string& id, std::string_view body) {
    require_valid_id(id, "container id");
    const auto document = parse_body(body);
    BodyProblems problems;
    BodyReader reader{document, "", problems, kStopFields};
    StopContainerAction action;
    action.container = id;
    if (const auto seconds = reader.number("timeout", 0, kLongestStop))
        action.timeout = std::chrono::milliseconds{std::llround(*seconds * 1000)};
    problems.throw_if_any();
    return action;
}

void require_empty_body(std::string_view body) {
    const auto document = parse_body(body);
    BodyProblems problems;
    const BodyReader reader{document, "", problems, {}};
    problems.throw_if_any();
}

Json exit_json(const core::ExitRecord& exit) {
    Json json{{"exitCode", exit.exit_code}};
    if (exit.signal != 0) json["signal"] = spec::signal_name(exit.signal);
    json["oomKilled"] = exit.oom_killed;
    if (exit.sent_by != core::ExitRecord::Sender::unknown)
        json["sentBy"] = core::sender_name(exit.sent_by);
    json["exitedAt"] = rfc3339(exit.exited_at);
    if (!exit.reason.empty()) json["reason"] = exit.reason;
    return json;
}

Json container_json(const ContainerView& view) {
    const auto& facts = view.facts;
    const auto& config = facts.config;
    Json json{
        {"id", config.id},
        {"sandbox", view.request.sandbox},
        {"engine", "covey"},
        {"state", core::state_name(facts.state)},
        {"pid", facts.pid},
        {"podPid", facts.pod_pid},
        {"pidMode", spec::pid_mode_name(config.pid_mode)},
        {"access", access_json(config.access)},
        {"pid1Signals", spec::pid1_signals_name(config.pid1_signals)},
        {"bundle", config.bundle},
        {"command", facts.command},
        {"terminal", facts.terminal},
        {"capabilities",
         {{"add", spec::capability_names_of(config.add_capabilities)},
          {"drop", spec::capability_names_of(config.drop_capabilities)}}},
        {"stdio",
         {{"stdin", config.stdio.in}, {"stdout", config.stdio.out}, {"stderr", config.stdio.err}}},
        {"labels", view.request.labels},
        {"warnings", facts.warnings},
        {"cgroup", facts.cgroup},
        {"createdAt", rfc3339(facts.created_at)}};
    if (!config.target.empty()) json["target"] = config.target;
    if (!view.request.seccomp.empty()) json["seccomp"] = view.request.seccomp;
    if (view.request.debug) json["debug"] = debug_terms_json(*view.request.debug);
    if (facts.started_at != 0) json["startedAt"] = rfc3339(facts.started_at);
    if (facts.state == core::ContainerState::paused) json["pausedAt"] = rfc3339(facts.paused_at);
    if (facts.exit) json["exit"] = exit_json(*facts.exit);
    if (!view.problem.empty()) json["problem"] = view.problem;
    if (facts.record_stale) json["recordStale"] = true;
    json["resourceVersion"] = view.resource_version;
    return json;
}

bool ContainerFilter::fits(const ContainerView& view) const {
    return has_labels(view.request.labels, labels) &&
           (!sandbox || *sandbox == view.request.sandbox) &&
           (!state || *state == core::state_name(view.facts.state));
}

Response container_response(const ContainerView& view, unsigned status) {
    return json_response(container_json(view), status);
}

Response exit_response(const core::ExitRecord& exit) {
    return json_response(exit_json(exit));
}

}  // namespace covey::daemon
