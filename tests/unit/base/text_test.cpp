#include "base/text.hpp"

#include "catch.hpp"

#include <array>

using namespace covey;

TEST_CASE("numbers are strict decimals") {
    CHECK(parse_u32("0") == 0U);
    CHECK(parse_u32("4294967295") == 4294967295U);
    for (const auto* bad : {"", "-1", "+1", " 1", "1 ", "0x1", "4294967296", "1e3"})
        CHECK_FALSE(parse_u32(bad));
    CHECK(parse_i64("-1") == -1);
}

TEST_CASE("a slip of the pen finds its name, another word does not") {
    constexpr std::array<std::string_view, 3> names{"pidMode", "hostname", "labels"};
    CHECK(nearest("pidmode", names) == "pidMode");
    CHECK(nearest("hostnmae", names) == "hostname");
    CHECK_FALSE(nearest("zzzzzz", names));
    CHECK(did_you_mean("lables", names) == " (did you mean 'labels'?)");
}

TEST_CASE("UTF-8 is checked as RFC 3629 says") {
    CHECK(is_utf8("plain"));
    CHECK(is_utf8("ünï→𝄞"));
    CHECK_FALSE(is_utf8("\xC0\xAF"));          // overlong
    CHECK_FALSE(is_utf8("\xED\xA0\x80"));      // surrogate
    CHECK_FALSE(is_utf8("\xF4\x90\x80\x80"));  // beyond U+10FFFF
    CHECK_FALSE(is_utf8("\xE2\x82"));          // cut
}

TEST_CASE("times are RFC 3339 in UTC") {
    CHECK(rfc3339(0) == "1970-01-01T00:00:00.000000Z");
    CHECK(rfc3339(1'700'000'000'123'456) == "2023-11-14T22:13:20.123456Z");
}
