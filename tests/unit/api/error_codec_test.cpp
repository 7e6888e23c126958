#include "api/error_codec.hpp"

#include "api/contract.hpp"
#include "api/stream_codec.hpp"
#include "base/json.hpp"
#include "catch.hpp"
#include "covey/error.hpp"

#include <cerrno>
#include <new>
#include <set>
#include <stdexcept>
#include <string>

using namespace covey;
using namespace covey::daemon;
using nlohmann::json;

namespace {

/// A switch without a default: a new code does not compile until it has a status here.
int designed_status(Code code) {
    switch (code) {
        case Code::invalid_argument:
        case Code::unknown_field:
        case Code::invalid_spec:
            return 400;
        case Code::permission_denied:
            return 403;
        case Code::not_found:
            return 404;
        case Code::timeout:
            return 408;
        case Code::already_exists:
        case Code::failed_precondition:
        case Code::sandbox_gone:
            return 409;
        case Code::compacted:
            return 410;
        case Code::too_large:
            return 413;
        case Code::too_many:
            return 429;
        case Code::internal:
            return 500;
        case Code::unsupported_by_host:
            return 501;
        case Code::unavailable:
            return 503;
        case Code::resource_exhausted:
            return 507;
    }
    return 0;
}

}  // namespace

TEST_CASE("proto/errors.yaml and covey::Code are the same list") {
    std::set<Code> seen;
    for (const auto& info : error_table()) {
        CHECK(seen.insert(info.code).second);
        CHECK(code_from_name(code_name(info.code)) == info.code);
        CHECK(info.status == designed_status(info.code));
        CHECK_FALSE((info.title.empty() || info.meaning.empty() || info.fix.empty()));
    }
    CHECK(seen.size() == static_cast<std::size_t>(Code::resource_exhausted) + 1);
}

TEST_CASE("the codes of proto/openapi.yaml are those of proto/errors.yaml") {
    std::set<std::string> codes;
    for (const auto& info : error_table())
        codes.emplace(code_name(info.code));
    const auto document = json::parse(openapi_json());
    CHECK(document["components"]["schemas"]["ErrorCode"]["enum"].get<std::set<std::string>>() ==
          codes);
}

TEST_CASE("every problem has a fix, the error's own or the table's") {
    for (const auto& info : error_table()) {
        const auto response = problem_response(Error{info.code, "no thing 'x'"}, "/v1/x", "id-1");
        const auto problem = json::parse(response.body);
        CHECK(response.status == static_cast<unsigned>(info.status));
        CHECK(response.content_type == "application/problem+json");
        CHECK(problem["type"] == "/v1/errors/" + std::string{code_name(info.code)});
        CHECK(problem["fix"] == std::string{info.fix});
        CHECK(problem["detail"] == "no thing 'x'");
        CHECK(problem["instance"] == "/v1/x");
        CHECK(problem["requestId"] == "id-1");
    }
    const Error own = Error{Code::not_found, "x"}.with_fix("look").with_cause("because");
    const auto problem = json::parse(problem_response(own, "/", "").body);
    CHECK(problem["fix"] == "look");
    CHECK(problem["causes"] == json::array({"because"}));
}

TEST_CASE(
    "whatever is thrown becomes an error, and bytes that are no text do not break the answer") {
    const auto caught = [](const auto& thrown) {
        return as_error(std::make_exception_ptr(thrown));
    };
    CHECK(caught(Error{Code::too_many, "x"}).code() == Code::too_many);
    CHECK(caught(std::bad_alloc{}).code() == Code::resource_exhausted);
    CHECK(caught(std::runtime_error{"x"}).code() == Code::internal);
    CHECK(caught(7).code() == Code::internal);
    const auto response = problem_response(Error::from_errno(ENOENT, "open", "a\xff\n"), "/", "");
    CHECK(json::parse(response.body)["errno"] == "ENOENT");
}

TEST_CASE("the page of a code is found, and a slip of the pen is named") {
    CHECK(json::parse(error_page("compacted").body)["status"] == 410);
    CHECK_THROWS_WITH(error_page("compacte"),
                      "no error code 'compacte' (did you mean 'compacted'?)");
}

TEST_CASE("exec's output has three forms") {
    CHECK(stream_form("*/*") == StreamForm::raw);
    CHECK(stream_form("") == StreamForm::raw);
    CHECK(stream_form("text/plain, application/x-ndjson;q=0.5") == StreamForm::lines);
    CHECK(stream_form("application/vnd.docker.multiplexed-stream") == StreamForm::frames);
    CHECK(encode_output(StreamForm::raw, OutputStream::err, "ab") == "ab");
    CHECK(encode_output(StreamForm::frames, OutputStream::err, "ab") ==
          std::string("\2\0\0\0\0\0\0\2ab", 10));
    CHECK(
        encode_output(StreamForm::frames, OutputStream::out, std::string(300, 'x')).substr(0, 8) ==
        std::string("\1\0\0\0\0\0\1\x2c", 8));
    for (const auto& [data, text] : {std::pair{"a", "YQ=="},
                                     {"ab", "YWI="},
                                     {"abc", "YWJj"},
                                     {"abcd", "YWJjZA=="},
                                     {"\xff\xfe", "//4="}})
        CHECK(encode_output(StreamForm::lines, OutputStream::out, data) ==
              std::string{R"({"stream":"stdout","data":")"} + text + "\"}\n");
    CHECK(encode_exit(StreamForm::raw, {}).empty());
    CHECK(json::parse(encode_exit(StreamForm::lines, {}))["exit"]["exitCode"] == 0);
    CHECK(encode_problem(StreamForm::frames, Error{Code::internal, "x"}, "/", "").front() == '\3');
}
