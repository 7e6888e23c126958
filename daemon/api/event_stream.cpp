#include "api/call.hpp"
#include "api/error_codec.hpp"
#include "api/event_codec.hpp"
#include "api/query.hpp"
#include "api/until_gone.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace covey::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::array<std::string_view, 3> kStreamParameters{"since", "sandbox", "type"};
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

/// Ends only by an exception.
asio::awaitable<std::monostate> send_events(Call& call, EventReader& reader,
                                            const EventFilter& filter) {
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
}

}  // namespace

asio::awaitable<void> stream_events(Call& call) {
    const Query query{call.target.query, kStreamParameters};
    const EventFilter filter{query.id("sandbox", "sandbox id"), query.all("type")};
    require_types(filter.types);
    const auto since = query.number("since", 0, std::numeric_limits<std::int64_t>::max());

    const auto newest = call.engine.newest_event();
    const auto reader = call.engine.events(since.value_or(newest));
    StreamHead head{"application/x-ndjson", {}};
    co_await call.exchange.begin(std::move(head));
    const std::string opened = stream_opened_line(newest);
    co_await call.exchange.write(opened);
    std::optional<Error> failure;
    try {
        auto sending = send_events(call, *reader, filter);
        co_await until_gone(call.exchange, std::move(sending));
    } catch (const Error& error) {
        failure = error;
    }
    if (!failure) throw Error(Code::internal, "the event stream ended by itself");
    const std::string line =
        stream_closed_line(*failure, call.target.path, call.exchange.request().id);
    co_await call.exchange.write(line);
    Headers no_trailers;
    co_await call.exchange.end(std::move(no_trailers));
}

}  // namespace covey::daemon
