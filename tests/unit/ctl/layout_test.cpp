// Tables, units and text as they reach a terminal.
#include "catch.hpp"
#include "ctl/table.hpp"
#include "ctl/text_safety.hpp"
#include "ctl/units.hpp"

using namespace covey::ctl;

TEST_CASE("columns are as wide as their widest cell and the last one is not padded") {
    Table table({{"NAME"}, {"PID", Align::right}, {"COMMAND"}});
    table.add({"web", "8", "nginx"});
    table.add({"a-long-name", "41840", "sh"});
    CHECK(table.render({}) ==
          "NAME           PID  COMMAND\n"
          "web              8  nginx\n"
          "a-long-name  41840  sh\n");
}

TEST_CASE("an empty cell shows as a dash and keeps its column") {
    Table table({{"NAME"}, {"PID", Align::right}, {"COMMAND"}});
    table.add({"web", "", "nginx"});
    table.add({"db"});
    CHECK(table.render({.header = false}) ==
          "web  –  nginx\n"
          "db   –  –\n");
}

TEST_CASE("lines are cut to the terminal and only there") {
    Table table({{"NAME"}, {"COMMAND"}});
    table.add({"web", "nginx: master process"});
    CHECK(table.render({.header = false, .width = 12}) == "web  nginx:…\n");
    CHECK(table.render({.header = false, .width = 0}) == "web  nginx: master process\n");
}

TEST_CASE("widths count code points, not bytes") {
    CHECK(display_width("├─ nginx") == 8);
    CHECK(cut_to("├─ nginx", 4) == "├─ …");
    CHECK(cut_to("├─ nginx", 8) == "├─ nginx");
}

TEST_CASE("a command line cannot speak to the terminal") {
    CHECK(printable("sh\033[2J\007") == "sh?[2J?");
    CHECK(printable("a\nb\tc\x7f") == "a?b?c?");
    CHECK(printable("\xc2\x9b"
                    "31m") == "?31m");                      // CSI as one C1 control
    CHECK(printable("gpj\xe2\x80\xae.exe") == "gpj?.exe");  // right-to-left override
    CHECK(printable("broken \xff\xc3") == "broken ??");
    CHECK(printable("grün – ├─") == "grün – ├─");
}

TEST_CASE("ages are the largest whole unit") {
    CHECK(age_text(0) == "0s");
    CHECK(age_text(59) == "59s");
    CHECK(age_text(60) == "1m");
    CHECK(age_text(3'599) == "59m");
    CHECK(age_text(3'600) == "1h");
    CHECK(age_text(86'399) == "23h");
    CHECK(age_text(86'400 * 9) == "9d");
    CHECK(age_text(86'400 * 800) == "2y");
    CHECK(age_text(-5) == "0s");
}

TEST_CASE("sizes have one unit and at most one decimal") {
    CHECK(size_text(0) == "0K");
    CHECK(size_text(4'096) == "4K");
    CHECK(size_text(620'000) == "0.6M");
    CHECK(size_text(5'347'737) == "5.1M");
    CHECK(size_text(std::uint64_t{3} * 1024 * 1024 * 1024 / 2) == "1.5G");
}

TEST_CASE("times are read as the API writes them, and nothing else") {
    CHECK(parse_rfc3339("1970-01-01T00:00:01Z") == 1'000'000);
    CHECK(parse_rfc3339("2026-01-31T10:00:00.123456Z") == 1'769'853'600'123'456);
    CHECK(parse_rfc3339("2026-01-31T10:00:00.5Z") == 1'769'853'600'500'000);
    CHECK_FALSE(parse_rfc3339("2026-02-30T10:00:00Z"));
    CHECK_FALSE(parse_rfc3339("2026-01-31T10:00:00+01:00"));
    CHECK_FALSE(parse_rfc3339("2026-01-31T10:00:00.Z"));
    CHECK_FALSE(parse_rfc3339(""));
    CHECK(age_of("1970-01-01T00:00:00Z", 120'000'000) == "2m");
    CHECK(age_of("", 0) == "–");
}

TEST_CASE("words are quoted for a shell only where they need it") {
    CHECK(shell_word("/run/covey.sock") == "/run/covey.sock");
    CHECK(shell_word("") == "''");
    CHECK(shell_word("a b") == "'a b'");
    CHECK(shell_word("it's") == R"('it'\''s')");
    CHECK(shell_word("a?b&c") == "'a?b&c'");
}
