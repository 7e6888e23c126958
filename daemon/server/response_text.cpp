#include "server/response_text.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string_view>
#include <utility>

namespace covey::daemon {
namespace {

constexpr std::array kReasons{
    std::pair{200U, std::string_view{"OK"}},
    std::pair{201U, std::string_view{"Created"}},
    std::pair{204U, std::string_view{"No Content"}},
    std::pair{400U, std::string_view{"Bad Request"}},
    std::pair{403U, std::string_view{"Forbidden"}},
    std::pair{404U, std::string_view{"Not Found"}},
    std::pair{405U, std::string_view{"Method Not Allowed"}},
    std::pair{408U, std::string_view{"Request Timeout"}},
    std::pair{409U, std::string_view{"Conflict"}},
    std::pair{410U, std::string_view{"Gone"}},
    std::pair{413U, std::string_view{"Content Too Large"}},
    std::pair{429U, std::string_view{"Too Many Requests"}},
    std::pair{500U, std::string_view{"Internal Server Error"}},
    std::pair{501U, std::string_view{"Not Implemented"}},
    std::pair{503U, std::string_view{"Service Unavailable"}},
    std::pair{507U, std::string_view{"Insufficient Storage"}},
};

std::string_view reason(unsigned status) noexcept {
    for (const auto& [value, text] : kReasons)
        if (value == status) return text;
    return "Unknown";
}

void append(std::string& text, const Headers& headers) {
    for (const auto& [name, value] : headers)
        fmt::format_to(std::back_inserter(text), "{}: {}\r\n", name, value);
}

}  // namespace

std::string response_head(const Response& response, After after) {
    std::string text = fmt::format("HTTP/1.1 {} {}\r\nServer: coveyd\r\n", response.status,
                                   reason(response.status));
    append(text, response.headers);
    // RFC 9110 8.6: no Content-Length with 204.
    if (response.status != 204)
        fmt::format_to(std::back_inserter(text), "Content-Type: {}\r\nContent-Length: {}\r\n",
                       response.content_type, response.body.size());
    if (after == After::close) text += "Connection: close\r\n";
    return text += "\r\n";
}

std::string stream_head(const StreamHead& head) {
    std::string text =
        fmt::format("HTTP/1.1 200 OK\r\nServer: coveyd\r\nContent-Type: {}\r\n", head.content_type);
    append(text, head.headers);
    return text += "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
}

std::string stream_end(const Headers& trailers) {
    std::string text = "0\r\n";
    append(text, trailers);
    return text += "\r\n";
}

}  // namespace covey::daemon
