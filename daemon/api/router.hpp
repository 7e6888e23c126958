// The table of routes: which operation answers which method and path. It equals the paths of
// proto/openapi.yaml (a test compares them). Thread rule: constant data. Does not block.
#pragma once

#include "api/target.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace covey::daemon {

enum class Operation : std::uint8_t {
    list_sandboxes,
    post_sandbox,
    put_sandbox,
    get_sandbox,
    delete_sandbox,
    stop_sandbox,
    list_processes,
    list_access,
    debug_sandbox,
    join_oci,
    list_containers,
    put_container,
    get_container,
    delete_container,
    start_container,
    kill_container,
    pause_container,
    resume_container,
    update_container,
    resize_container,
    stop_container,
    wait_container,
    exec_container,
    find_process,
    stream_events,
    get_version,
    get_info,
    get_health,
    get_metrics,
    get_openapi,
    list_errors,
    get_error,
};

struct Route {
    std::string_view method;
    std::string_view pattern;  // "/v1/sandboxes/{id}/stop"
    Operation operation;
    std::string_view operation_id;  // of proto/openapi.yaml
};
[[nodiscard]] std::span<const Route> routes() noexcept;

struct Match {
    const Route* route = nullptr;
    std::map<std::string, std::string, std::less<>> parameters;  // "id" → "web"
    std::string allow;  // not empty: the path is known, the method is not
};
/// Throws not_found for an unknown path, naming the nearest one.
[[nodiscard]] Match match_route(std::string_view method, const Target& target);

}  // namespace covey::daemon
