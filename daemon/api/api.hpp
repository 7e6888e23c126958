// The API: routes each request to the engine and turns whatever is thrown into a problem document.
// Made once by main; called by server/ for each request. Thread rule: the io_context's one thread.
// Nothing blocks; waiting suspends the coroutine.
#pragma once

#include "api/exchange.hpp"
#include "api/metrics.hpp"
#include "base/unique_fd.hpp"
#include "engine/engine.hpp"

#include <boost/asio/awaitable.hpp>

#include <optional>

namespace covey::daemon {

class Api final : public Handler {
  public:
    /// `engine` outlives it.
    explicit Api(Engine& engine);

    /// Refuses processes of Covey's own containers: to them the socket would be the host's root.
    [[nodiscard]] std::optional<Error> refuse(const Peer& peer) const override;
    boost::asio::awaitable<void> handle(Exchange& exchange) override;
    [[nodiscard]] Response problem(const Error& error, const Request& request) const override;

  private:
    /// What a request came to: of which route, and with which status.
    struct Outcome {
        std::string_view operation;  // empty: of none
        unsigned status = 200;       // a stream's
    };
    boost::asio::awaitable<void> answer(Exchange& exchange, Outcome& outcome);
    boost::asio::awaitable<void> answer_or_problem(Exchange& exchange, Outcome& outcome);
    Engine& engine_;
    RequestCounters requests_;
    UniqueFd proc_;
};

}  // namespace covey::daemon
