// Sizes as people write them.
#include "base/size.hpp"

#include "catch.hpp"

#include <string>

using covey::parse_size;

TEST_CASE("sizes are read as runc and Docker read them") {
    CHECK(parse_size("1024") == 1024);
    CHECK(parse_size("512m") == 512LL << 20U);
    CHECK(parse_size("512MiB") == 512LL << 20U);
    CHECK(parse_size("1.5g") == 3LL << 29U);
    CHECK(parse_size("7b") == 7);
    CHECK(parse_size("0") == 0);
    CHECK(parse_size("-1") == -1);
}

TEST_CASE("what is no size is none") {
    for (const std::string text :
         {"", "many", "-2", "1x", "1mm", "1bb", "m", "1 m", "9999999p", "0x10"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_size(text).has_value());
    }
}
