#include "api/call.hpp"
#include "api/container_codec.hpp"
#include "api/engine_container_codec.hpp"
#include "api/error_codec.hpp"
#include "api/query.hpp"
#include "api/sandbox_codec.hpp"
#include "api/until_gone.hpp"
#include "api/update_codec.hpp"
#include "base/id.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

namespace covey::daemon {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr std::array<std::string_view, 4> kContainerListParameters{"engine", "label", "sandbox",
                                                                   "state"};
constexpr std::array<std::string_view, 1> kContainerDeleteParameters{"force"};
constexpr std::array<std::string_view, 1> kWaitParameters{"timeout"};
constexpr std::uint64_t kLongestWait = 86400;  // seconds

Response list_containers(Call& call) {
    const Query query{call.target.query, kContainerListParameters};
    const ContainerFilter filter{query.all("label"), query.id("sandbox", "sandbox id"),
                                 query.one("state")};
    require_label_filters(filter.labels);
    require_state_filter(filter.state, kListedStates);
    const auto engine = query.one("engine");
    require_engine_filter(engine);
    // Asked first: what is found out on the way is an event too.
    const AllContainers all{call.engine.containers(), call.engine.engine_containers()};
    return list_response(all, filter, engine, call.engine.newest_event());
}

Response show(Call& call) {
    try {
        return container_response(call.engine.container(call.id()));
    } catch (const Error& error) {
        if (error.code() != Code::not_found) throw;
        return engine_container_response(call.engine.engine_container(call.id()));
    }
}

asio::awaitable<Response> create_container(Call& call) {
    const std::string body = co_await call.exchange.body();
    CreateContainerAction action = decode_container(call.id(), body);
    const auto created = co_await call.engine.create_container(std::move(action));
    co_return container_response(created.view, created.was_there ? 200 : 201);
}

asio::awaitable<Response> remove_container(Call& call) {
    const Query query{call.target.query, kContainerDeleteParameters};
    std::string id = call.id();
    co_await call.engine.delete_container(std::move(id), query.flag("force"));
    co_return Response{204, {}, {}, {}};
}

/// start, pause, resume: they say nothing but what.
using Change = asio::awaitable<ContainerView> (Engine::*)(std::string);

asio::awaitable<Response> change(Call& call, Change wanted) {
    const std::string body = co_await call.exchange.body();
    require_empty_body(body);
    std::string id = call.id();
    const ContainerView view = co_await (call.engine.*wanted)(std::move(id));
    co_return container_response(view);
}

asio::awaitable<Response> update(Call& call) {
    const std::string body = co_await call.exchange.body();
    UpdateAction action = decode_update(call.id(), body);
    co_await call.engine.update_container(std::move(action));
    co_return Response{204, {}, {}, {}};
}

asio::awaitable<Response> resize(Call& call) {
    const std::string body = co_await call.exchange.body();
    ResizeAction action = decode_resize(call.id(), body);
    co_await call.engine.resize_container(std::move(action));
    co_return Response{204, {}, {}, {}};
}

asio::awaitable<Response> kill(Call& call) {
    const std::string body = co_await call.exchange.body();
    KillAction action = decode_kill(call.id(), body);
    co_await call.engine.kill_container(std::move(action));
    co_return Response{204, {}, {}, {}};
}

asio::awaitable<Response> stop_container(Call& call) {
    const std::string body = co_await call.exchange.body();
    StopContainerAction action = decode_stop(call.id(), body);
    const ContainerView view = co_await call.engine.stop_container(std::move(action));
    co_return container_response(view);
}

asio::awaitable<Response> wait(Call& call) {
    const Query query{call.target.query, kWaitParameters};
    const auto asked = query.milliseconds("timeout", kLongestWait);
    const milliseconds limit{asked.value_or(static_cast<std::int64_t>(kLongestWait) * 1000)};
    do {
        std::string id = call.id();
        auto waiting = call.engine.wait_container(std::move(id), limit);
        const auto exit = co_await until_gone(call.exchange, std::move(waiting));
        if (exit) co_return exit_response(*exit);
    } while (!asked);
    throw Error(Code::timeout,
                fmt::format("container '{}' did not end within {} ms", call.id(), limit.count()))
        .with_fix("ask again, or stop it: POST /v1/containers/" + call.id() + "/stop");
}

}  // namespace

asio::awaitable<Response> answer_container_call(Call& call) {
    const Operation operation = call.match.route->operation;
    if (operation == Operation::list_containers) co_return list_containers(call);
    require_valid_id(call.id(), "container id");
    if (operation == Operation::get_container) {
        require_no_query(call.target.query);
        co_return show(call);
    }
    if (operation != Operation::put_container) call.engine.require_ours(call.id());
    if (operation == Operation::delete_container) co_return co_await remove_container(call);
    if (operation == Operation::wait_container) co_return co_await wait(call);
    require_no_query(call.target.query);
    if (operation == Operation::put_container) co_return co_await create_container(call);
    if (operation == Operation::start_container)
        co_return co_await change(call, &Engine::start_container);
    if (operation == Operation::pause_container)
        co_return co_await change(call, &Engine::pause_container);
    if (operation == Operation::resume_container)
        co_return co_await change(call, &Engine::resume_container);
    if (operation == Operation::update_container) co_return co_await update(call);
    if (operation == Operation::resize_container) co_return co_await resize(call);
    if (operation == Operation::kill_container) co_return co_await kill(call);
    co_return co_await stop_container(call);
}

}  // namespace covey::daemon
