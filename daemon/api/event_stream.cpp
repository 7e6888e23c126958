#include "api/call.hpp"
#include "api/error_codec.hpp"
#include "api/event_codec.hpp"
#include "api/query.hpp"
#include "base/text.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace covey::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::array<std::string_view, 3> kParameters{"since", "sandbox", "type"};
constexpr std::chrono::seconds kHeartbeat{15};

struct EventFilter {
    std::optional<std::string> sandbox;
    std::vector<std::string> types;

    [[nodiscard]] bool fits(const EventRecord& event) const {
        return (!sandbox || *sandbox == event.sandbox) &&
               (types.empty() || std::find(types.begin(), types.end(), event.type) != types.end());
    }
};

void require_types(const std::vector<std::string>& types) {
    for (const auto& type : types)
        if (std::find(kEventTypes.begin(), kEventTypes.end(), type) == kEventTypes.end())
            throw Error(Code::invalid_argument,
                        fmt::format("query parameter 'type': no event type '{}'{}", type,
                                    did_you_mean(type, kEventTypes)))
                .with_fix("GET /v1/openapi.json lists them under EventType");
}

/// Ends only by an exception; ClientGone is handed back, because it must end the sibling too.
asio::awaitable<std::exception_ptr> send_events(Call& call, EventReader& reader,
                                                const EventFilter& filter) {
    try {
        auto last_line = std::chrono::steady_clock::now();
        for (;;) {
            const auto quiet = std::chrono::steady_clock::now() - last_line;
            const auto limit =
                std::chrono::duration_cast<std::chrono::milliseconds>(kHeartbeat - quiet);
            const auto event = co_await reader.next(std::max(limit, std::chrono::milliseconds{0}));
            std::string line;
            if (!event)
                line = heartbeat_line(call.engine.newest_event());
            else if (filter.fits(*event))
                line = event_line(*event);
            else
                continue;
            co_await call.exchange.write(line);
            last_line = std::chrono::steady_clock::now();
        }
    } catch (...) {
        co_return std::current_exception();
    }
}

}  // namespace

asio::awaitable<void> stream_events(Call& call) {
    using namespace asio::experimental::awaitable_operators;
    const Query query{call.target.query, kParameters};
    const EventFilter filter{query.id("sandbox", "sandbox id"), query.all("type")};
    require_types(filter.types);
    const auto since = query.number("since", 0, std::numeric_limits<std::int64_t>::max());

    const auto newest = call.engine.newest_event();
    const auto reader = call.engine.events(since.value_or(newest));
    StreamHead head{"application/x-ndjson", {}};
    co_await call.exchange.begin(std::move(head));
    const std::string opened = stream_opened_line(newest);
    co_await call.exchange.write(opened);
    auto sending = send_events(call, *reader, filter);
    auto gone = call.exchange.hangup();
    auto outcome = co_await (std::move(sending) || std::move(gone));
    auto* const failure = std::get_if<0>(&outcome);
    if (failure == nullptr) throw ClientGone{};
    try {
        std::rethrow_exception(*failure);
    } catch (const ClientGone&) {
        throw;
    } catch (...) {
        *failure = std::current_exception();
    }
    const Request& request = call.exchange.request();
    const std::string line = stream_closed_line(as_error(*failure), call.target.path, request.id);
    co_await call.exchange.write(line);
    Headers no_trailers;
    co_await call.exchange.end(std::move(no_trailers));
}

}  // namespace covey::daemon
