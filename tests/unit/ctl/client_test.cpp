// The HTTP client against a server that says exactly what a case tells it to.
#include "ctl/client.hpp"

#include "catch.hpp"
#include "covey/error.hpp"

#include <array>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace covey::ctl;
using covey::Code;
using covey::Error;

namespace {

/// Takes one connection, reads until the request ends with `until`, answers the pieces one by one,
/// and closes.
class ScriptedServer {
  public:
    ScriptedServer(std::string until, std::vector<std::string> pieces) {
        std::string folder = "/tmp/covey-client-test.XXXXXX";
        REQUIRE(mkdtemp(folder.data()) != nullptr);
        folder_ = folder;
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
        listener_ = covey::UniqueFd{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const auto* as_generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
        REQUIRE(bind(listener_.get(), as_generic, sizeof address) == 0);
        REQUIRE(listen(listener_.get(), 1) == 0);
        thread_ = std::thread(&ScriptedServer::serve, this, std::move(until), std::move(pieces));
    }
    ~ScriptedServer() {
        if (thread_.joinable()) thread_.join();
        std::filesystem::remove_all(folder_);
    }
    [[nodiscard]] std::string path() const { return folder_ + "/s"; }
    /// What the client sent, once it is done.
    const std::string& request() {
        thread_.join();
        return request_;
    }

  private:
    void serve(const std::string& until, const std::vector<std::string>& pieces) {
        const covey::UniqueFd connection{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        std::array<char, 4096> buffer{};
        while (!request_.ends_with(until)) {
            const ssize_t got = ::read(connection.get(), buffer.data(), buffer.size());
            if (got <= 0) return;
            request_.append(buffer.data(), static_cast<std::size_t>(got));
        }
        for (const auto& piece : pieces)
            send(connection.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    }

    std::string folder_, request_;
    covey::UniqueFd listener_;
    std::thread thread_;
};

void wait_for(const Exchange& exchange) {
    pollfd waiting{exchange.fd().get(),
                   static_cast<short>(POLLIN | (exchange.wants_to_send() ? POLLOUT : 0)), 0};
    poll(&waiting, 1, 5'000);
}

Code code_of(const std::string& path) {
    try {
        static_cast<void>(call(path, {}));
    } catch (const Error& error) {
        CHECK_FALSE(error.fix().empty());
        return error.code();
    }
    FAIL("the call succeeded");
    return Code::internal;
}

}  // namespace

TEST_CASE("a whole answer arrives with its status, type and body") {
    ScriptedServer server(
        "{}",
        {"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n",
         "{\"a\"", ":1 }"});
    Request request{"PUT", "/v1/sandboxes/web", "{}", "", false};
    const Answer answer = call(server.path(), request);
    CHECK(answer.status == 201);
    CHECK(answer.content_type == "application/json");
    CHECK(answer.body == "{\"a\":1 }");
    const std::string sent = server.request();
    CHECK(sent.starts_with("PUT /v1/sandboxes/web HTTP/1.1\r\n"));
    CHECK(sent.find("Content-Length: 2\r\n") != std::string::npos);
    CHECK(sent.find("Content-Type: application/json\r\n") != std::string::npos);
}

TEST_CASE("an answer cut into single bytes is the same answer") {
    const std::string whole =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Covey-Exit-Code\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\nCovey-Exit-Code: 7\r\n\r\n";
    std::vector<std::string> bytes;
    for (const char c : whole)
        bytes.emplace_back(1, c);
    ScriptedServer server("\r\n\r\n", bytes);
    Exchange exchange(server.path(), {});
    std::string body;
    for (exchange.advance(); !exchange.finished(); exchange.advance()) {
        body += exchange.take_body();
        wait_for(exchange);
    }
    body += exchange.take_body();
    CHECK(body == "abcde");
    CHECK(exchange.status() == 200);
    CHECK(exchange.field("Covey-Exit-Code") == "7");
}

TEST_CASE("a streamed body goes out in chunks and ends") {
    ScriptedServer server("0\r\n\r\n", {"HTTP/1.1 204 No Content\r\n\r\n"});
    Exchange exchange(server.path(), {"POST", "/v1/containers/c/exec?cmd=cat", "", "", true});
    exchange.send_chunk("hello");
    exchange.send_chunk("");
    exchange.end_chunks();
    for (exchange.advance(); !exchange.finished(); exchange.advance())
        wait_for(exchange);
    CHECK(exchange.status() == 204);
    const std::string sent = server.request();
    CHECK(sent.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(sent.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
}

TEST_CASE("a daemon that is not there, or not one, is named with what to do") {
    CHECK(code_of("/tmp/covey-no-such-folder/covey.sock") == Code::unavailable);
    CHECK(code_of("") == Code::invalid_argument);
    CHECK(code_of("/tmp/" + std::string(150, 'x')) == Code::unavailable);
    ScriptedServer silent("\r\n\r\n", {});
    CHECK(code_of(silent.path()) == Code::unavailable);
    ScriptedServer cut("\r\n\r\n", {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"});
    CHECK(code_of(cut.path()) == Code::unavailable);
    ScriptedServer other("\r\n\r\n", {"220 mail.example ESMTP\r\n"});
    CHECK(code_of(other.path()) == Code::internal);
}

TEST_CASE("everything but unreserved characters is percent-encoded") {
    CHECK(url_encode("a-Z_0.9~") == "a-Z_0.9~");
    CHECK(url_encode("a b/c?d=e&f+g%") == "a%20b%2Fc%3Fd%3De%26f%2Bg%25");
    CHECK(url_encode("é") == "%C3%A9");
}
