#include "api/router.hpp"

#include "api/contract.hpp"
#include "base/json.hpp"
#include "catch.hpp"
#include "covey/error.hpp"

#include <set>
#include <string>

using namespace covey;
using namespace covey::daemon;

TEST_CASE("the table of routes and proto/openapi.yaml have the same operations") {
    const auto document = nlohmann::json::parse(openapi_json());
    std::set<std::string> promised, built;
    for (const auto& [path, item] : document["paths"].items())
        for (const auto& [method, operation] : item.items())
            if (operation.is_object())
                promised.insert(method + " " + path + " " +
                                operation["operationId"].get<std::string>());
    for (const auto& route : routes()) {
        std::string method;
        for (const char c : route.method)
            method += static_cast<char>(c - 'A' + 'a');
        built.insert(method + " " + std::string{route.pattern} + " " +
                     std::string{route.operation_id});
    }
    CHECK(built == promised);
    CHECK(built.size() == routes().size());
}

TEST_CASE("a route is found by method and path, with its parameters decoded") {
    const auto match = match_route("POST", parse_target("/v1/containers/a%2Bb/start?x=1"));
    REQUIRE(match.route != nullptr);
    CHECK(match.route->operation == Operation::start_container);
    CHECK(match.parameters.at("id") == "a+b");
}

TEST_CASE("a known path with another method says what is allowed") {
    const auto match = match_route("PATCH", parse_target("/v1/sandboxes"));
    CHECK(match.route == nullptr);
    CHECK(match.allow == "GET, POST");
}

TEST_CASE("an unknown path is not found, and the nearest one is named") {
    try {
        (void)match_route("GET", parse_target("/v1/containers/web/wiat"));
        FAIL("found");
    } catch (const Error& error) {
        CHECK(error.code() == Code::not_found);
        CHECK(error.detail() ==
              "no path /v1/containers/web/wiat (did you mean '/v1/containers/web/wait'?)");
        CHECK_FALSE(error.fix().empty());
    }
    CHECK_THROWS_AS(match_route("GET", parse_target("/v1/sandboxes/web/")), Error);
    CHECK_THROWS_AS(match_route("GET", parse_target("/")), Error);
}
