#include "api/call.hpp"
#include "api/contract.hpp"
#include "api/error_codec.hpp"
#include "api/host_codec.hpp"
#include "api/metrics_codec.hpp"
#include "api/own_process.hpp"
#include "api/query.hpp"

namespace covey::daemon {

Response answer_daemon_call(const Call& call) {
    require_no_query(call.target.query);
    const Operation operation = call.match.route->operation;
    if (operation == Operation::get_version) return version_response();
    if (operation == Operation::get_health) return health_response();
    if (operation == Operation::list_errors) return error_pages();
    if (operation == Operation::get_error)
        return error_page(call.match.parameters.find("code")->second);
    if (operation == Operation::get_metrics) {
        const Engine& engine = call.engine;
        return metrics_response({engine.sandboxes(), engine.containers(),
                                 engine.engine_containers(), engine.event_counters(), call.requests,
                                 own_process()});
    }
    if (operation == Operation::get_openapi)
        return {200, "application/json", std::string{openapi_json()}, {}};
    return info_response(call.engine.cgroup_host(), call.engine.host_checks());
}

}  // namespace covey::daemon
