// In coroutines every temporary of a co_await has a name: g++ 12 copies unnamed ones bit by bit.
#include "api/api.hpp"

#include "api/call.hpp"
#include "api/error_codec.hpp"
#include "base/log.hpp"
#include "cgroup/cgroup.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace covey::daemon {
namespace {

namespace asio = boost::asio;

bool is_below(std::string_view path, std::string_view folder) {
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

Response method_not_allowed(const Request& request, const Match& match) {
    const auto path = path_of(request.target);
    Response response = problem_response(
        Error(Code::invalid_argument, fmt::format("{} is not allowed on {}", request.method, path))
            .with_fix("use " + match.allow),
        path, request.id, 405);
    response.headers.emplace_back("Allow", match.allow);
    return response;
}

asio::awaitable<Response> answer_call(Call& call) {
    switch (call.match.route->operation) {
        case Operation::list_sandboxes:
        case Operation::post_sandbox:
        case Operation::put_sandbox:
        case Operation::get_sandbox:
        case Operation::delete_sandbox:
        case Operation::stop_sandbox:
        case Operation::debug_sandbox:
        case Operation::join_oci:
            co_return co_await answer_sandbox_call(call);
        case Operation::list_processes:
        case Operation::find_process:
        case Operation::list_access:
            co_return co_await answer_process_call(call);
        case Operation::list_containers:
        case Operation::put_container:
        case Operation::get_container:
        case Operation::delete_container:
        case Operation::start_container:
        case Operation::kill_container:
        case Operation::pause_container:
        case Operation::resume_container:
        case Operation::update_container:
        case Operation::resize_container:
        case Operation::stop_container:
        case Operation::wait_container:
            co_return co_await answer_container_call(call);
        case Operation::get_version:
        case Operation::get_info:
        case Operation::get_health:
        case Operation::get_metrics:
        case Operation::get_openapi:
        case Operation::list_errors:
        case Operation::get_error:
            co_return answer_daemon_call(call);
        case Operation::exec_container:
        case Operation::stream_events:
            break;  // answered as streams
    }
    throw Error(Code::internal, "a stream was asked for as a document");
}

}  // namespace

Api::Api(Engine& engine) : engine_(engine), proc_(sys::open_proc().or_throw("open", "/proc")) {
}

std::optional<Error> Api::refuse(const Peer& peer) const {
    if (peer.pid == 0) return std::nullopt;  // from outside our PID namespace, so not below us
    const std::string group = cgroup::identity_of(engine_.cgroup_host(), proc_, peer.pid);
    if (group.empty())
        return Error(Code::permission_denied,
                     fmt::format("process {}, which has connected, has ended: nobody can tell "
                                 "whether it was in a container of Covey",
                                 peer.pid))
            .with_fix("stay until the answer has come");
    const auto sandboxes = engine_.sandboxes();
    const bool inside =
        std::any_of(sandboxes.begin(), sandboxes.end(), [&group](const SandboxView& sandbox) {
            return !sandbox.facts.cgroup.empty() && is_below(group, sandbox.facts.cgroup);
        });
    if (!inside && !is_below(group, cgroup::kDefaultParent)) return std::nullopt;
    return Error(Code::permission_denied,
                 fmt::format("process {} is in a container of Covey ({})", peer.pid, group))
        .with_fix("call from outside the pods: whoever may speak to coveyd is root of the host");
}

Response Api::problem(const Error& error, const Request& request) const {
    return problem_response(error, path_of(request.target), request.id);
}

asio::awaitable<void> Api::answer(Exchange& exchange, Outcome& outcome) {
    const Request& request = exchange.request();
    Target target = parse_target(request.target);
    Match match = match_route(request.method, target);
    if (match.route == nullptr) {
        Response refusal = method_not_allowed(request, match);
        outcome.status = refusal.status;
        co_await exchange.respond(std::move(refusal));
        co_return;
    }
    outcome.operation = match.route->operation_id;
    Call call{engine_, exchange, requests_, std::move(target), std::move(match)};
    const Operation operation = call.match.route->operation;
    if (operation == Operation::exec_container) {
        co_await stream_exec(call);
    } else if (operation == Operation::stream_events) {
        co_await stream_events(call);
    } else {
        Response response = co_await answer_call(call);
        outcome.status = response.status;
        co_await exchange.respond(std::move(response));
    }
}

asio::awaitable<void> Api::answer_or_problem(Exchange& exchange, Outcome& outcome) {
    std::exception_ptr failure;
    try {
        co_await answer(exchange, outcome);
    } catch (const ClientGone&) {
        throw;
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) co_return;
    const Error error = as_error(failure);
    if (error.code() == Code::internal)
        log::error("request failed", {{"id", exchange.request().id}, {"reason", error.detail()}});
    // The client sees a body that ends in the middle.
    if (exchange.begun()) throw ClientGone{};
    Response response = problem(error, exchange.request());
    outcome.status = response.status;
    co_await exchange.respond(std::move(response));
}

asio::awaitable<void> Api::handle(Exchange& exchange) {
    const auto begun = std::chrono::steady_clock::now();
    Outcome outcome;
    std::exception_ptr gone;  // the client; what it asked for was done all the same
    try {
        co_await answer_or_problem(exchange, outcome);
    } catch (...) {
        gone = std::current_exception();
    }
    if (!outcome.operation.empty())
        requests_.count(outcome.operation, outcome.status,
                        std::chrono::steady_clock::now() - begun);
    if (gone) std::rethrow_exception(gone);
}

}  // namespace covey::daemon
