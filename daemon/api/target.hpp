// The target of a request, taken apart: decoded path segments and query parameters.
// Called by api.cpp for each request. Thread rule: pure functions. Do not block.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace covey::daemon {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

struct Target {
    std::string path;                   // as sent, without the query
    std::vector<std::string> segments;  // decoded: "v1", "sandboxes", "web"
    QueryParameters query;              // in the order sent
};

/// Origin form ("/v1/x?y=z") or absolute form ("http://host/v1/x"). Throws invalid_argument for bad
/// escapes, NUL bytes, invalid UTF-8 and a fragment. In the query `+` is a space.
[[nodiscard]] Target parse_target(std::string_view text);

}  // namespace covey::daemon
