#include "covey/error.hpp"

#include "base/result.hpp"
#include "base/rollback.hpp"
#include "catch.hpp"

#include <cerrno>
#include <string>

using namespace covey;

TEST_CASE("an error says operation, object and errno, and keeps its fix") {
    const auto error = Error::from_errno(EACCES, "open", "/x").with_fix("chmod");
    CHECK(error.detail() == "open /x: Permission denied (EACCES)");
    CHECK(error.code() == Code::permission_denied);
    CHECK(error.errno_value() == EACCES);
    CHECK(error.fix() == "chmod");
}

TEST_CASE("codes and their names are one list") {
    for (int i = 0; i <= static_cast<int>(Code::resource_exhausted); ++i) {
        const auto code = static_cast<Code>(i);
        CHECK(code_from_name(code_name(code)) == code);
    }
}

TEST_CASE("a result gives its value or throws with the words it was given") {
    CHECK(Result<int>{7}.or_throw("read") == 7);
    CHECK_THROWS_WITH((Result<int>{Errno{ENOENT}}.or_throw("read", "/y")),
                      "read /y: No such file or directory (ENOENT)");
}

TEST_CASE("undo steps run in reverse, all of them, unless released") {
    std::string order;
    {
        Rollback rollback;
        rollback.add([&] { order += 'a'; });
        rollback.add([] { throw 1; });
        rollback.add([&] { order += 'b'; });
    }
    CHECK(order == "ba");
    {
        Rollback rollback;
        rollback.add([&] { order += 'x'; });
        rollback.release();
    }
    CHECK(order == "ba");
}
