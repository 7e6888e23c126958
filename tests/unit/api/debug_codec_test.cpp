// The request for a debugger: its defaults, and what is wrong with it, all at once.
#include "api/debug_codec.hpp"

#include "api/container_codec.hpp"
#include "base/json.hpp"
#include "catch.hpp"
#include "covey/error.hpp"

#include <chrono>
#include <string>

using namespace covey;
using namespace covey::daemon;
using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

namespace {

std::string refused_debug(const std::string& body) {
    try {
        (void)decode_debug("web", body);
    } catch (const Error& error) {
        // The fix of a field too many is in the table of codes.
        CHECK((error.code() == Code::unknown_field || !error.fix().empty()));
        return error.detail();
    }
    return "taken";
}

bool says(const std::string& body, const std::string& part) {
    const auto detail = refused_debug(body);
    INFO(detail);
    CHECK(detail.find(part) != std::string::npos);
    return detail.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a debugger without a word holds, in the pod, for an hour") {
    const auto action = decode_debug("web", "");
    CHECK(action.sandbox == "web");
    CHECK(action.id.empty());
    CHECK(action.target.empty());
    CHECK_FALSE(action.joins_target);
    CHECK(action.tools.empty());
    CHECK(action.profile == DebugProfile::general);
    CHECK(action.ttl == 1h);
    CHECK(action.command.empty());
    CHECK_FALSE(action.remove);
    CHECK(action.access == spec::kOpen);
}

TEST_CASE("every field of a debugger's request is read") {
    const auto action =
        decode_debug("web", R"({"id": "d", "target": "app", "pidMode": "target", "tools": "/t",
                   "profile": "sysadmin", "ttl": 1.5, "command": ["strace", "-p1"],
                   "env": ["A="], "user": "5:6", "access": "observer",
                   "capabilities": {"add": ["NET_RAW"], "drop": ["CHOWN"]},
                   "stdio": {"stdout": "file:/out"}, "labels": {"a": "b"}})");
    CHECK(action.id == "d");
    CHECK(action.target == "app");
    CHECK(action.joins_target);
    CHECK(action.tools == "/t");
    CHECK(action.profile == DebugProfile::sysadmin);
    CHECK(action.ttl == 1500ms);
    CHECK(action.command.size() == 2);
    CHECK(action.remove);
    CHECK(action.env == std::vector<std::string>{"A="});
    CHECK(action.uid == 5U);
    CHECK(action.gid == 6U);
    CHECK(action.access == spec::kObserver);
    CHECK(action.add_capabilities == 1U << 13U);
    CHECK(action.drop_capabilities == 1U);
    CHECK(action.stdio.out == "file:/out");
    CHECK(action.labels.at("a") == "b");
    CHECK_FALSE(decode_debug("web", R"({"command": ["a"], "remove": false})").remove);
    CHECK(decode_debug("web", R"({"ttl": 86400})").ttl == kLongestDebugging);
}

TEST_CASE("what a debugger cannot be is refused by name") {
    CHECK(says(R"({"profile": "sysadmn"})",
               "/profile: unknown profile 'sysadmn' (did you mean 'sysadmin'?)"));
    for (const char* ttl : {"0", "-1", "86400.5", "1e300", "\"1h\"", "true"})
        CHECK(says(std::string{R"({"ttl": )"} + ttl + "}",
                   "/ttl: must be a number of seconds, above 0 and at most 86400"));
    CHECK(says(R"({"pidMode": "nested", "target": "a"})", "/pidMode"));
    CHECK(says(R"({"pidMode": "target"})", "/target: is missing"));
    CHECK(says(R"({"target": "a/b"})", "target"));
    CHECK(says(R"({"id": "a/b"})", "container id"));
    CHECK(says(R"({"tools": "t"})", "/tools: 't' must be an absolute path"));
    CHECK(says(R"({"user": "root"})", "/user"));
    CHECK(says(R"({"user": "1:"})", "/user"));
    CHECK(says(R"({"user": "4294967295"})", "/user"));
    CHECK(says(R"({"env": ["A=b", "=c"]})", "/env/1"));
    CHECK(says(R"({"command": [""]})", "/command"));
    CHECK(says(R"({"stdio": {}})", "/stdio: has no meaning without a command"));
    CHECK(says(R"({"profile": "restricted", "user": "0"})",
               "/user: profile restricted is never root"));
    CHECK(says(R"({"profile": "restricted", "capabilities": {"add": ["KILL"]}})",
               "/capabilities: profile restricted"));
    CHECK(says(R"({"profil": "x"})", "(did you mean 'profile'?)"));
    CHECK(says(R"({"ttl": 0, "pidMode": "node"})", "/pidMode"));
    CHECK(says(R"({"ttl": 0, "pidMode": "node"})", "/ttl"));
}

TEST_CASE("a container's object says that it is a debugger, and until when") {
    ContainerView view;
    CHECK_FALSE(container_json(view).contains("debug"));
    view.request.debug = DebugTerms{DebugProfile::restricted, "app", "/t", true, false, 1'000'000};
    CHECK(container_json(view)["debug"] == Json{{"profile", "restricted"},
                                                {"tools", "/t"},
                                                {"remove", true},
                                                {"holds", false},
                                                {"expiresAt", "1970-01-01T00:00:01.000000Z"},
                                                {"target", "app"}});
}
