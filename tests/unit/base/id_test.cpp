#include "base/id.hpp"

#include "catch.hpp"
#include "covey/error.hpp"

using namespace covey;

TEST_CASE("ids of design's alphabet are accepted") {
    for (const auto* id : {"a", "0", "_", "web", "A.b+c-d", "memory.max"})
        CHECK(is_valid_id(id));
    CHECK(is_valid_id(std::string(128, 'x')));
}

TEST_CASE("ids that could be a path or a flag are refused") {
    for (const auto* id : {"", ".", "..", "-a", "+a", "a/b", "a b", "a\n", "ä"})
        CHECK_FALSE(is_valid_id(id));
    CHECK_FALSE(is_valid_id(std::string(129, 'x')));
    CHECK_FALSE(is_valid_id(std::string_view{"a\0b", 3}));
}

TEST_CASE("a refused id is named, shortened and without control bytes") {
    try {
        require_valid_id("a\x1b[31m" + std::string(300, 'y'), "sandbox id");
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.code() == Code::invalid_argument);
        CHECK(error.detail().find("invalid sandbox id 'a\\x1b[31m") == 0);
        CHECK(error.detail().size() < 120);
        CHECK(!error.fix().empty());
    }
}

TEST_CASE("an engine's container id is one safe path component of runc's alphabet") {
    CHECK(is_valid_container_id("-a+b_c.d"));
    CHECK(is_valid_container_id(std::string(255, 'x')));
    for (const std::string id : {"", ".", "..", ".a", "a/b", "a b", "ä"})
        CHECK_FALSE(is_valid_container_id(id));
    CHECK_FALSE(is_valid_container_id(std::string(256, 'x')));
}
