#include "spec/json_reader.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "catch.hpp"
#include "spec/load.hpp"
#include "spec/problem.hpp"

#include <string>
#include <vector>

using namespace covey::spec;
using namespace std::string_literals;

namespace {

std::vector<Problem> problems_in(std::string_view text, std::size_t depth = kDeepestJson) {
    try {
        (void)parse_strict(text, "x.json", depth);
    } catch (const SpecError& error) {
        for (const auto& problem : error.problems()) {
            CHECK(covey::is_utf8(problem.pointer + problem.message));
        }
        return error.problems();
    }
    return {};
}

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

struct Bad {
    std::string text;
    const char* pointer;
    const char* word;
};

}  // namespace

TEST_CASE("the strict reader builds what the text says") {
    const auto value =
        parse_strict(R"( {"a": [1, -2, 1.5, "x\u00e9", true, null], "b": {"c": {}}} )", "x.json");
    CHECK(value ==
          nlohmann::json::parse(R"({"a": [1, -2, 1.5, "xé", true, null], "b": {"c": {}}})"));
    CHECK(parse_strict("7", "x.json") == 7);
    CHECK(parse_strict("[]", "x.json").is_array());
    CHECK(parse_strict("18446744073709551615", "x.json").is_number_unsigned());
}

TEST_CASE("what two readers could understand differently is refused with its place") {
    const Bad cases[]{
        {R"({"a":1,"a":2})", "/a", "duplicate"},
        {R"({"a":{"b":[0,{"c":1,"c":1}]}})", "/a/b/1/c", "duplicate"},
        {R"({"a":1,"\u0061":2})", "/a", "duplicate"},
        {R"({"a/b~c":1,"a/b~c":2})", "/a~1b~0c", "duplicate"},
        {R"({"":1,"":2})", "/", "duplicate"},
        {"{} {}", "", "line 1, column 4"},
        {"{}x", "", "line 1, column 3"},
        {"{}\0{}"s, "", "NUL"},
        {"{\"a\":1}\0"s, "", "NUL"},
        {R"({"a":"b\u0000c"})", "/a", "NUL"},
        {R"({"a":[1,"b\u0000c",2]})", "/a/1", "NUL"},
        {R"({"a\u0000b":1})", "/a\\x00b", "NUL"},
        {"\xEF\xBB\xBF{}", "", "byte order mark"},
        {"{\"a\":\"\xff\"}", "/a", "UTF-8"},
        {"{\"a\":\"\xc0\x80\"}", "/a", "UTF-8"},
        {"{\"a\":\"\xed\xa0\x80\"}", "/a", "UTF-8"},
        {R"({"a":"\ud800"})", "/a", "surrogate"},
        {"", "", "line 1"},
        {"{", "", "end of input"},
        {"{\n \"a\": x}", "/a", "line 2, column 7"},
        {"[1,2,x]", "/2", "line 1"},
        {"[1,]", "/1", "line 1"},
        {"{\"a\":1,}", "/a", "line 1"},
        {"{'a':1}", "", "line 1"},
        {"[01]", "/1", "line 1"},
        {"[1 // comment\n]", "/1", "line 1"},
        {"[NaN]", "/0", "line 1"},
        {"[1e999]", "/0", "overflow"},
        {"[\"a\nb\"]", "/0", "control character"},
        {"\xff\xfe", "", "line 1"},
    };
    for (const Bad& bad : cases) {
        const auto problems = problems_in(bad.text);
        INFO(bad.text);
        REQUIRE(problems.size() == 1);
        CHECK(problems.front().pointer == bad.pointer);
        INFO(problems.front().message);
        CHECK(problems.front().message.find(bad.word) != std::string::npos);
    }
}

TEST_CASE("the strict reader goes on after a fault that leaves the structure whole") {
    const auto problems = problems_in(R"({"a":1,"a":2,"b":["\u0000"],"c":{"d":0,"d":1}})");
    REQUIRE(problems.size() == 3);
    CHECK(problems[0].pointer == "/a");
    CHECK(problems[1].pointer == "/b/0");
    CHECK(problems[2].pointer == "/c/d");
}

TEST_CASE("depth is limited exactly, and a deep text costs nothing") {
    CHECK(problems_in(nested(64)).empty());
    const auto problems = problems_in(nested(65));
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().message == "is nested deeper than 64 levels");
    CHECK(problems_in(nested(3), 2).front().pointer == "/0/0");
    CHECK(problems_in(nested(1'000'000)).size() == 1);
    CHECK(problems_in(R"({"a":{"b":{}}})", 2).front().pointer == "/a/b");
}

TEST_CASE("a configuration is at most 4 MiB long") {
    const std::string start = R"({"ociVersion":"1.0.0","root":{"path":"r"})";
    const std::string largest = start + std::string(kLargestConfig - start.size() - 1, ' ') + "}";
    CHECK(load(largest).oci_version == "1.0.0");
    CHECK_THROWS_WITH(load(largest + " "),
                      "config.json: 1 problem: is 4194305 bytes long; at most 4194304 are read");
    CHECK_THROWS_AS(load_process(largest + " "), SpecError);
}
