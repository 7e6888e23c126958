// HTTP as the API sees it, without the library that speaks it: the head of a request and a whole
// response. server/session.cpp makes and sends them; api/ reads and fills them.
// Thread rule: values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace covey::daemon {

/// Who is at the other end of the socket, as of connect(2).
struct Peer {
    pid_t pid = 0;  // 0: not visible from the daemon's PID namespace
    uid_t uid = 0;
    gid_t gid = 0;
};

/// Everything but the body.
struct Request {
    std::string method;
    std::string target;  // as sent: "/v1/sandboxes/web?force=true"
    std::string accept;
    std::string id;  // made up by the server; in the log and in problems
    Peer peer;
};

/// "/v1/sandboxes/web": the target up to its query.
[[nodiscard]] inline std::string_view path_of(std::string_view target) noexcept {
    return target.substr(0, target.find('?'));
}
/// The same for the log. No id or word of ours has a '%', so what may be an escaped '?' ends it
/// too.
[[nodiscard]] inline std::string_view loggable_path_of(std::string_view target) noexcept {
    return target.substr(0, target.find_first_of("?#%"));
}

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    Headers headers;  // besides Content-Type and Content-Length
};

/// What an answer begins with whose body comes piece by piece.
struct StreamHead {
    std::string content_type;
    Headers headers;
};

}  // namespace covey::daemon
