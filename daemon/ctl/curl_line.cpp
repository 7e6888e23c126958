#include "ctl/curl_line.hpp"

#include "ctl/text_safety.hpp"

namespace covey::ctl {

std::string curl_line(const std::string& socket_path, const Request& request) {
    std::string line = request.streams_input || !request.accept.empty() ? "curl -sSN" : "curl -sS";
    line += " --unix-socket " + shell_word(socket_path);
    // -T . sends standard input as it comes; its default method is PUT.
    if (request.streams_input) line += " -T .";
    if (request.method != "GET") line += " -X " + request.method;
    if (!request.accept.empty()) line += " -H " + shell_word("Accept: " + request.accept);
    if (!request.body.empty())
        line += " -H 'Content-Type: application/json' -d " + shell_word(request.body);
    return line + " " + shell_word("http://covey" + request.target);
}

}  // namespace covey::ctl
