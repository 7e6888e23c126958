#include "catch.hpp"
#include "support/requires.hpp"
#include "support/run_program.hpp"

using covey::test::run_self;

// The hidden cases below are run by the others, in a process of their own.
namespace {
void skip_for(const char* word) {
    covey::test::note_skip(word, "this is a test");
}
}  // namespace

TEST_CASE("hidden: skips", "[.skips]") {
    skip_for("userns");
}
TEST_CASE("hidden: skips in both sections", "[.skips]") {
    SECTION("one") {
        skip_for("userns");
    }
    SECTION("two") {
        skip_for("userns");
    }
}
TEST_CASE("hidden: passes", "[.passes]") {
    CHECK(covey::test::missing("faults").value_or("").find("frobnicate") == std::string::npos);
}
TEST_CASE("hidden: fails", "[.fails]") {
    CHECK(covey::test::missing("root") == "never said");
}
TEST_CASE("hidden: asks for a word that does not exist", "[.unknown]") {
    COVEY_REQUIRES("frobnication");
}

TEST_CASE("a program whose every case was skipped says 77, with each reason") {
    const auto run = run_self("[skips]");
    CHECK(run.status == 77);
    CHECK(run.output.find("SKIP: hidden: skips: needs userns (this is a test)") !=
          std::string::npos);
}

TEST_CASE("a skipped case among passed ones is shown and the program passes") {
    const auto run = run_self("[skips],[passes]");
    CHECK(run.status == 0);
    CHECK(run.output.find("SKIP: hidden: skips: ") != std::string::npos);
}

TEST_CASE("a failure wins over a skip") {
    const auto run = run_self("[skips],[fails]");
    CHECK(run.status != 0);
    CHECK(run.status != 77);
}

TEST_CASE("a skip for a word that was promised is a failure") {
    const auto run = run_self("[skips]", {{"COVEY_NO_SKIP", "root userns seccomp"}});
    CHECK(run.status != 0);
    CHECK(run.status != 77);
    CHECK(run.output.find("COVEY_NO_SKIP promises") != std::string::npos);
    CHECK(run_self("[skips]", {{"COVEY_NO_SKIP", "root user ns"}}).status == 77);
}

TEST_CASE("an unknown requirement word fails instead of skipping for ever") {
    const auto run = run_self("[unknown]");
    CHECK(run.status != 0);
    CHECK(run.status != 77);
}
