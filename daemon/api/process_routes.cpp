#include "api/access_codec.hpp"
#include "api/call.hpp"
#include "api/process_codec.hpp"
#include "api/query.hpp"
#include "base/id.hpp"
#include "covey/error.hpp"
#include "sys/proc.hpp"

#include <array>
#include <limits>
#include <string_view>
#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::array<std::string_view, 4> kFindParameters{"pid", "podPid", "pidfdInode", "sandbox"};
constexpr std::array<std::string_view, 2> kAccessParameters{"from", "to"};

std::optional<pid_t> pid_in(const Query& query, std::string_view name) {
    const auto number = query.number(name, 1, sys::kLargestPid);
    if (!number) return std::nullopt;
    return static_cast<pid_t>(*number);
}

asio::awaitable<Response> find(const Call& call) {
    const Query query{call.target.query, kFindParameters};
    const ProcessQuery wish{
        pid_in(query, "pid"), pid_in(query, "podPid"),
        query.number("pidfdInode", 1, std::numeric_limits<std::uint64_t>::max()),
        query.id("sandbox", "sandbox id")};
    const int ways = (wish.pid ? 1 : 0) + (wish.pod_pid ? 1 : 0) + (wish.pidfd_inode ? 1 : 0);
    if (ways != 1)
        throw Error(Code::invalid_argument,
                    "which process? one of pid, podPid and pidfdInode is needed")
            .with_fix("write ?pid=4711, or ?podPid=8&sandbox=web");
    if (wish.pod_pid && !wish.sandbox)
        throw Error(Code::invalid_argument, "podPid is a number in a sandbox: which one?")
            .with_fix("add &sandbox=ID");
    const auto found = co_await call.engine.find_process(wish);
    co_return process_response(found);
}

Response access(const Call& call) {
    const Query query{call.target.query, kAccessParameters};
    const auto from = query.id("from", "container id");
    const auto to = query.one("to");
    if (to && *to != "(pause)") require_valid_id(*to, "container id");
    return access_response(call.engine.access(call.id(), from, to));
}

}  // namespace

asio::awaitable<Response> answer_process_call(Call& call) {
    const Operation operation = call.match.route->operation;
    if (operation == Operation::find_process) co_return co_await find(call);
    require_valid_id(call.id(), "sandbox id");
    if (operation == Operation::list_access) co_return access(call);
    require_no_query(call.target.query);
    auto id = call.id();
    const auto processes = co_await call.engine.processes(std::move(id));
    co_return process_response(processes);
}

}  // namespace covey::daemon
