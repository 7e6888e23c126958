#include "api/call.hpp"
#include "api/container_codec.hpp"
#include "api/debug_codec.hpp"
#include "api/error_codec.hpp"
#include "api/oci_codec.hpp"
#include "api/query.hpp"
#include "api/sandbox_codec.hpp"
#include "base/id.hpp"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <string_view>
#include <utility>

namespace covey::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::array<std::string_view, 2> kSandboxListParameters{"label", "state"};
constexpr std::array<std::string_view, 1> kSandboxDeleteParameters{"force"};

Response list_sandboxes(Call& call) {
    const Query query{call.target.query, kSandboxListParameters};
    const SandboxFilter filter{query.all("label"), query.one("state")};
    require_label_filters(filter.labels);
    require_state_filter(filter.state, kSandboxStates);
    return list_response(call.engine.sandboxes(), filter, call.engine.newest_event());
}

asio::awaitable<Response> create_sandbox(Call& call, std::optional<std::string> id) {
    const std::string body = co_await call.exchange.body();
    CreateSandboxAction action = decode_sandbox(id, body);
    const auto created = co_await call.engine.create_sandbox(std::move(action));
    co_return sandbox_response(created.view, created.was_there ? 200 : 201);
}

asio::awaitable<Response> remove_sandbox(Call& call) {
    const Query query{call.target.query, kSandboxDeleteParameters};
    std::string id = call.id();
    co_await call.engine.delete_sandbox(std::move(id), query.flag("force"));
    co_return Response{204, {}, {}, {}};
}

asio::awaitable<Response> stop_sandbox(Call& call) {
    const std::string body = co_await call.exchange.body();
    require_empty_body(body);
    std::string id = call.id();
    const SandboxView view = co_await call.engine.stop_sandbox(std::move(id));
    co_return sandbox_response(view);
}

asio::awaitable<Response> debug(Call& call) {
    const std::string body = co_await call.exchange.body();
    DebugAction action = decode_debug(call.id(), body);
    const ContainerView view = co_await call.engine.debug(std::move(action));
    co_return container_response(view, 201);
}

asio::awaitable<Response> join(Call& call) {
    const SandboxView sandbox = call.engine.sandbox(call.id());
    const std::string config = co_await call.exchange.body();
    co_return Response{200, "application/json", join_oci_config(config, sandbox), {}};
}

}  // namespace

asio::awaitable<Response> answer_sandbox_call(Call& call) {
    const Operation operation = call.match.route->operation;
    if (operation == Operation::list_sandboxes) co_return list_sandboxes(call);
    if (operation == Operation::delete_sandbox) {
        require_valid_id(call.id(), "sandbox id");
        co_return co_await remove_sandbox(call);
    }
    require_no_query(call.target.query);
    std::optional<std::string> id;
    if (operation == Operation::post_sandbox)
        co_return co_await create_sandbox(call, std::move(id));
    require_valid_id(call.id(), "sandbox id");
    id = call.id();
    if (operation == Operation::put_sandbox) co_return co_await create_sandbox(call, std::move(id));
    if (operation == Operation::get_sandbox)
        co_return sandbox_response(call.engine.sandbox(call.id()));
    if (operation == Operation::stop_sandbox) co_return co_await stop_sandbox(call);
    if (operation == Operation::debug_sandbox) co_return co_await debug(call);
    co_return co_await join(call);
}

}  // namespace covey::daemon
