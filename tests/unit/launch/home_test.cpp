// passwd(5) as images have it, and as somebody may have written it.
#include "launch/home.hpp"

#include "catch.hpp"

#include <string>

using namespace covey;
using launch::home_in;

TEST_CASE("the home folder is that of the first entry with the number") {
    const std::string passwd =
        "root:x:0:0:root:/root:/bin/sh\n"
        "# a comment\n"
        "short:x:5\n"
        "\n"
        "app:x:1000:1000:An App,,,:/home/app:/bin/sh\n"
        "again:x:1000:1000::/home/again:/bin/sh\n"
        "last:x:65534:65534::/nonexistent:";
    CHECK(home_in(passwd, 0) == "/root");
    CHECK(home_in(passwd, 1000) == "/home/app");
    CHECK(home_in(passwd, 65534) == "/nonexistent");
    CHECK_FALSE(home_in(passwd, 5));
    CHECK_FALSE(home_in(passwd, 1));
    CHECK_FALSE(home_in("", 0));
}

TEST_CASE("what is no number or no home folder says nothing") {
    CHECK_FALSE(home_in("a:x:-1:0::/a:\n", 4294967295U));
    CHECK_FALSE(home_in("a:x:+7:0::/a:\n", 7));
    CHECK_FALSE(home_in("a:x: 7:0::/a:\n", 7));
    CHECK_FALSE(home_in("a:x:7x:0::/a:\n", 7));
    CHECK_FALSE(home_in("a:x::0::/a:\n", 0));
    CHECK_FALSE(home_in("a:x:4294967296:0::/a:\n", 0));
    CHECK_FALSE(home_in("a:x:7:0:::\n", 7));
    CHECK_FALSE(home_in("a:x:7:0::/a\033[2J:\n", 7));
    CHECK_FALSE(home_in(std::string{"a:x:7:0::/a\0b:\n", 15}, 7));
    CHECK(home_in("a:x:007:0::/a:\n", 7) == "/a");
}
