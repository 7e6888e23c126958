// A blocking client of one shim: a request out, its answer back, events kept aside meanwhile. Used
// by the façade only; coveyd drives the codec without blocking. Thread rule: one owner; each call
// of the façade has a client, and so a connection, of its own, so that a long wait() holds up
// nobody. Blocks as long as the caller says.
#pragma once

#include "base/unique_fd.hpp"
#include "core/messages.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace covey::core {

using Clock = std::chrono::steady_clock;

class ShimClient {
  public:
    explicit ShimClient(UniqueFd connection) : connection_(std::move(connection)) {}

    /// Sends the request and waits for its answer. Throws the shim's own error; timeout when
    /// `limit` is over (the shim goes on); sandbox_gone when the shim has ended.
    ReplyBody call(RequestBody request, std::chrono::milliseconds limit,
                   std::span<const FdRef> fds = {});
    /// Everything the shim holds.
    [[nodiscard]] std::vector<StatusItem> status(std::chrono::milliseconds limit);
    /// The next event, kept aside or new; nothing when the time is over. Throws sandbox_gone.
    [[nodiscard]] std::optional<Event> next_event(Clock::time_point until);

  private:
    void send(RequestBody request, std::span<const FdRef> fds);
    [[nodiscard]] std::optional<ShimMessage> receive(Clock::time_point until);
    /// The next packet that answers the last request.
    [[nodiscard]] ReplyBody next_reply(Clock::time_point until);

    UniqueFd connection_;
    std::uint64_t number_ = 0;
    std::deque<Event> events_;
};

}  // namespace covey::core
