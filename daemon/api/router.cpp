#include "api/router.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <vector>

namespace covey::daemon {
namespace {

constexpr std::array kRoutes{
    Route{"GET", "/v1/sandboxes", Operation::list_sandboxes, "listSandboxes"},
    Route{"POST", "/v1/sandboxes", Operation::post_sandbox, "postSandbox"},
    Route{"PUT", "/v1/sandboxes/{id}", Operation::put_sandbox, "putSandbox"},
    Route{"GET", "/v1/sandboxes/{id}", Operation::get_sandbox, "getSandbox"},
    Route{"DELETE", "/v1/sandboxes/{id}", Operation::delete_sandbox, "deleteSandbox"},
    Route{"POST", "/v1/sandboxes/{id}/stop", Operation::stop_sandbox, "stopSandbox"},
    Route{"GET", "/v1/sandboxes/{id}/processes", Operation::list_processes, "listProcesses"},
    Route{"GET", "/v1/sandboxes/{id}/access", Operation::list_access, "listAccess"},
    Route{"POST", "/v1/sandboxes/{id}/debug", Operation::debug_sandbox, "debugSandbox"},
    Route{"POST", "/v1/sandboxes/{id}/oci", Operation::join_oci, "joinOci"},
    Route{"GET", "/v1/containers", Operation::list_containers, "listContainers"},
    Route{"PUT", "/v1/containers/{id}", Operation::put_container, "putContainer"},
    Route{"GET", "/v1/containers/{id}", Operation::get_container, "getContainer"},
    Route{"DELETE", "/v1/containers/{id}", Operation::delete_container, "deleteContainer"},
    Route{"POST", "/v1/containers/{id}/start", Operation::start_container, "startContainer"},
    Route{"POST", "/v1/containers/{id}/kill", Operation::kill_container, "killContainer"},
    Route{"POST", "/v1/containers/{id}/pause", Operation::pause_container, "pauseContainer"},
    Route{"POST", "/v1/containers/{id}/resume", Operation::resume_container, "resumeContainer"},
    Route{"POST", "/v1/containers/{id}/update", Operation::update_container, "updateContainer"},
    Route{"POST", "/v1/containers/{id}/resize", Operation::resize_container, "resizeContainer"},
    Route{"POST", "/v1/containers/{id}/stop", Operation::stop_container, "stopContainer"},
    Route{"GET", "/v1/containers/{id}/wait", Operation::wait_container, "waitContainer"},
    Route{"POST", "/v1/containers/{id}/exec", Operation::exec_container, "execContainer"},
    Route{"GET", "/v1/processes", Operation::find_process, "findProcess"},
    Route{"GET", "/v1/events", Operation::stream_events, "streamEvents"},
    Route{"GET", "/v1/version", Operation::get_version, "getVersion"},
    Route{"GET", "/v1/info", Operation::get_info, "getInfo"},
    Route{"GET", "/v1/healthz", Operation::get_health, "getHealth"},
    Route{"GET", "/metrics", Operation::get_metrics, "getMetrics"},
    Route{"GET", "/v1/openapi.json", Operation::get_openapi, "getOpenapi"},
    Route{"GET", "/v1/errors", Operation::list_errors, "listErrors"},
    Route{"GET", "/v1/errors/{code}", Operation::get_error, "getError"},
};

bool is_parameter(std::string_view part) noexcept {
    return part.starts_with('{');
}

/// The parameters' values if the pattern fits.
std::optional<std::map<std::string, std::string, std::less<>>> fit(std::string_view pattern,
                                                                   const Target& target) {
    const auto parts = split(pattern.substr(1), '/');
    if (parts.size() != target.segments.size()) return std::nullopt;
    std::map<std::string, std::string, std::less<>> parameters;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (is_parameter(parts[i]))
            parameters.emplace(parts[i].substr(1, parts[i].size() - 2), target.segments[i]);
        else if (parts[i] != target.segments[i])
            return std::nullopt;
    }
    return parameters;
}

/// The pattern with the request's own words for its parameters, to compare with what was asked for.
std::string filled_in(std::string_view pattern, const Target& target) {
    std::string path;
    const auto parts = split(pattern.substr(1), '/');
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const bool own = is_parameter(parts[i]) && i < target.segments.size();
        path += '/';
        path += own ? std::string_view{target.segments[i]} : parts[i];
    }
    return path;
}

Error unknown_path(const Target& target) {
    std::vector<std::string> candidates;
    for (const auto& route : kRoutes)
        candidates.push_back(filled_in(route.pattern, target));
    const std::vector<std::string_view> views{candidates.begin(), candidates.end()};
    return Error(Code::not_found,
                 fmt::format("no path {}{}", target.path, did_you_mean(target.path, views)))
        .with_fix("GET /v1/openapi.json lists every path");
}

}  // namespace

std::span<const Route> routes() noexcept {
    return kRoutes;
}

Match match_route(std::string_view method, const Target& target) {
    Match match;
    for (const auto& route : kRoutes) {
        auto parameters = fit(route.pattern, target);
        if (!parameters) continue;
        if (route.method == method) {
            match.route = &route;
            match.parameters = std::move(*parameters);
            return match;
        }
        if (!match.allow.empty()) match.allow += ", ";
        match.allow += route.method;
    }
    if (match.allow.empty()) throw unknown_path(target);
    return match;
}

}  // namespace covey::daemon
