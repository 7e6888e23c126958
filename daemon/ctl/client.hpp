// The covey command's HTTP client: one exchange over coveyd's Unix socket, streaming in both
// directions at once. The one place that knows Beast.
// Called by session.cpp (whole answers) and relay.cpp (streams).
// Thread rule: one thread. advance() never waits; connect and call() block.
#pragma once

#include "base/unique_fd.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace covey::ctl {

struct Request {
    std::string method = "GET";
    std::string target;          // "/v1/sandboxes?x=y", already percent-encoded
    std::string body;            // JSON; empty: none
    std::string accept;          // empty: anything
    bool streams_input = false;  // the body comes by send_chunk()
};

/// HTTP's status codes from here on say that a request failed.
inline constexpr int kFirstFailure = 400;

struct Answer {
    int status = 0;
    std::string content_type, body;
};

/// One request and its answer, as bytes come and go. Errors: covey::Error, unavailable when the
/// daemon cannot be reached or goes away in the middle.
class Exchange {
  public:
    /// Connects and queues the head of the request.
    Exchange(const std::string& socket_path, const Request& request);
    Exchange(Exchange&&) noexcept;
    Exchange& operator=(Exchange&&) noexcept;
    ~Exchange();

    /// To poll(2): for reading until finished(), for writing while wants_to_send().
    [[nodiscard]] FdRef fd() const;
    [[nodiscard]] bool wants_to_send() const;
    /// Queues a piece of the request's body; the caller waits for !wants_to_send() before the next.
    void send_chunk(std::string_view data);
    /// The request's body is over.
    void end_chunks();
    /// Sends and reads what is possible without waiting.
    void advance();

    [[nodiscard]] bool has_header() const;
    [[nodiscard]] bool finished() const;
    [[nodiscard]] int status() const;
    /// A header, or once finished a trailer; empty if there is none.
    [[nodiscard]] std::string field(std::string_view name) const;
    /// What has arrived of the body since the last call.
    std::string take_body();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The whole exchange. Blocks until the answer is complete.
[[nodiscard]] Answer call(const std::string& socket_path, const Request& request);

/// Percent-encodes what is not unreserved (RFC 3986), for path parts and query values.
[[nodiscard]] std::string url_encode(std::string_view text);

}  // namespace covey::ctl
