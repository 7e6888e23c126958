// Heads of HTTP/1.1 answers as text. Called by session.cpp and the listener.
// Thread rule: pure functions. Do not block.
#pragma once

#include "api/http.hpp"

#include <string>

namespace covey::daemon {

enum class After { keep_alive, close };

/// Status line and headers of a whole answer, the empty line included.
[[nodiscard]] std::string response_head(const Response& response, After after);
/// The same for a chunked answer with status 200; the connection is closed after it.
[[nodiscard]] std::string stream_head(const StreamHead& head);
/// The last chunk with its trailers.
[[nodiscard]] std::string stream_end(const Headers& trailers);

}  // namespace covey::daemon
