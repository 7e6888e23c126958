#include "runtime/seat.hpp"

#include "catch.hpp"
#include "covey/error.hpp"
#include "sys/socket.hpp"

using namespace covey;
using namespace covey::runtime;

TEST_CASE("a command line goes to the spawner word for word") {
    const CommandLine line{{"covey-runtime", "exec", "", "a b", "\xff"}, {"A=", "B=x=y"}};
    const auto back = decode_command_line(encode(line));
    CHECK(back.args == line.args);
    CHECK(back.env == line.env);
    CHECK(decode_command_line(encode(CommandLine{})).args.empty());
}

TEST_CASE("a request that makes no sense is refused whole") {
    using namespace std::string_literals;
    const auto good = encode({{"exec", "x"}, {"A=b"}});
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        CHECK_THROWS_AS(decode_command_line(good.substr(0, cut)), Error);
    for (const auto& text : {"4294967295\0a\0"s, "-1\0"s, "x\0y\0"s})
        CHECK_THROWS_AS(decode_command_line(text), Error);
}

TEST_CASE("reports of an exec, and the end of the stream") {
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    const auto say = [&](std::string_view text) {
        sys::send_packet(sockets.child, text).or_throw("send");
        return receive_report(sockets.parent);
    };
    CHECK(std::holds_alternative<Running>(*say("running")));
    const auto ended = std::get<sys::ExitStatus>(*say("ended 137 9"));
    CHECK(ended.code == 137);
    CHECK(ended.signal == 9);
    for (const char* text : {"ended", "ended 1", "ended 1 2 3", "ended a b", "what"})
        CHECK_THROWS_AS(say(text), Error);
    sockets.child.reset();
    CHECK_FALSE(receive_report(sockets.parent));
}
