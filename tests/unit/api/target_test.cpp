#include "api/target.hpp"

#include "api/exec_request.hpp"
#include "api/query.hpp"
#include "catch.hpp"
#include "covey/error.hpp"

#include <array>
#include <string>

using namespace covey;
using namespace covey::daemon;

namespace {

constexpr std::array<std::string_view, 3> kKnown{"force", "timeout", "n"};

Code code_of(const std::string& target) {
    try {
        const auto parsed = parse_target(target);
        const Query query{parsed.query, kKnown};
        (void)query.flag("force");
        (void)query.milliseconds("timeout", 100);
        (void)query.number("n", 1, 10);
    } catch (const Error& error) {
        CHECK_FALSE(error.fix().empty());
        return error.code();
    }
    return Code::internal;  // stands for "nothing wrong"
}

ExecAction exec_of(const std::string& query) {
    return decode_exec("c", parse_target("/v1/x?" + query).query);
}

}  // namespace

TEST_CASE("a target is split first and decoded then") {
    const auto target = parse_target("/v1/a%2Fb/c+d?cmd=a+b%2B&cmd=&flag");
    CHECK(target.path == "/v1/a%2Fb/c+d");
    CHECK(target.segments == std::vector<std::string>{"v1", "a/b", "c+d"});
    CHECK(target.query == QueryParameters{{"cmd", "a b+"}, {"cmd", ""}, {"flag", ""}});
    CHECK(parse_target("http://covey/v1/version").path == "/v1/version");
    CHECK(parse_target("http://covey").path == "/");
}

TEST_CASE("bad targets are refused") {
    for (const std::string target :
         {"", "v1", "*", "/v1#x", "/%", "/%4", "/%zz", "/%00", "/%ff", "/?a=%c3%28"})
        CHECK(code_of(target) == Code::invalid_argument);
}

TEST_CASE("query parameters are read strictly") {
    for (const std::string query : {"", "?force=true", "?force", "?force=false", "?timeout=0.25",
                                    "?timeout=100", "?n=1", "?n=10", "?&&"})
        CHECK(code_of("/" + query) == Code::internal);
    for (const std::string query :
         {"?force=yes", "?force=1", "?timeout=-1", "?timeout=1e1", "?timeout=101", "?timeout=nan",
          "?timeout=", "?timeout=1x", "?n=0", "?n=11", "?n=+1", "?n=99999999999999999999",
          "?n=1&n=1"})
        CHECK(code_of("/" + query) == Code::invalid_argument);
    CHECK(code_of("/?farce=true") == Code::unknown_field);
    const auto parameters = parse_target("/?timeout=0.25").query;
    CHECK(Query(parameters, kKnown).milliseconds("timeout", 100) == 250);
}

TEST_CASE("the query of exec becomes an action") {
    const auto action = exec_of(
        "cmd=sh&cmd=-c&env=A=b=c&user=1:2&cwd=/tmp&cap=sys_ptrace&tty=true&rows=3&columns=4");
    CHECK(action.command == std::vector<std::string>{"sh", "-c"});
    CHECK(action.env == std::vector<std::string>{"A=b=c"});
    CHECK(action.uid == 1U);
    CHECK(action.gid == 2U);
    CHECK(action.cwd == "/tmp");
    CHECK(action.add_capabilities == std::uint64_t{1} << 19U);
    CHECK(action.terminal);
    CHECK((action.rows == 3 && action.columns == 4));
    CHECK_FALSE(exec_of("cmd=x&user=7").gid.has_value());
    for (const std::string query :
         {"", "cmd=", "cmd=x&user=a", "cmd=x&user=1:", "cmd=x&user=:1", "cmd=x&user=-1",
          "cmd=x&user=4294967295", "cmd=x&cwd=x", "cmd=x&env==a", "cmd=x&cap=NOPE",
          "cmd=x&tty=true&rows=65536", "cmd=x&columns=80"})
        CHECK_THROWS_AS(exec_of(query), Error);
}
