// An HTTP client for benchmarks of coveyd: one keep-alive connection, no parsing to speak of.
// Thread rule: one owner. Blocks until the answer is there.
#pragma once

#include "base/unique_fd.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace covey::bench {

/// One keep-alive connection; enough HTTP for answers with a Content-Length.
class Client {
  public:
    explicit Client(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
        if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) <
            0)
            throw Error::from_errno(errno, "connect", path);
    }
    std::string call(std::string_view method, std::string_view target, std::string_view body = {}) {
        sys::write_all(
            socket_,
            fmt::format("{} {} HTTP/1.1\r\nHost: covey\r\nContent-Type: application/json\r\n"
                        "Content-Length: {}\r\n\r\n{}",
                        method, target, body.size(), body))
            .or_throw("write", "request");
        std::string answer;
        std::size_t head = std::string::npos;
        while ((head = answer.find("\r\n\r\n")) == std::string::npos)
            read_more(answer);
        std::size_t length = 0;
        if (const auto at = answer.find("Content-Length: "); at < head)
            length = static_cast<std::size_t>(std::strtoul(answer.c_str() + at + 16, nullptr, 10));
        while (answer.size() < head + 4 + length)
            read_more(answer);
        if (answer.compare(9, 1, "2") != 0)
            throw Error(Code::internal, fmt::format("{} {}: {}", method, target, answer));
        return answer.substr(head + 4);
    }

  private:
    void read_more(std::string& text) {
        char chunk[65536];
        const auto got = ::read(socket_.get(), static_cast<char*>(chunk), sizeof chunk);
        if (got <= 0) throw Error(Code::unavailable, "coveyd closed the connection");
        text.append(static_cast<char*>(chunk), static_cast<std::size_t>(got));
    }
    UniqueFd socket_;
};

}  // namespace covey::bench
