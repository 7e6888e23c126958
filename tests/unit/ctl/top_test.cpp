// covey top: what was used between two looks, the order, the filter, the drawing.
#include "ctl/top.hpp"

#include "catch.hpp"

using namespace covey::ctl;

namespace {

TopRow row(std::int64_t pid, std::uint64_t start, std::uint64_t cpu, std::uint64_t rss = 0) {
    TopRow made;
    made.sandbox = "web";
    made.process.container = "app";
    made.process.pid = pid;
    made.process.start_time = start;
    made.process.cpu_milliseconds = cpu;
    made.process.rss_bytes = rss;
    made.process.state = "S";
    made.process.command = {"prog", std::to_string(pid)};
    return made;
}

std::vector<std::int64_t> pids(const std::vector<TopRow>& rows) {
    std::vector<std::int64_t> found;
    for (const auto& one : rows)
        found.push_back(one.process.pid);
    return found;
}

}  // namespace

TEST_CASE("use is measured since the look before, at first since the process began") {
    TopMeter meter;
    // Began 10 s after boot, looked at 20 s after boot.
    CHECK(meter.measure({row(1, 1000, 5000)}, 20'000, 100).front().cpu_percent == 50.0);
    CHECK(meter.measure({row(1, 1000, 5100)}, 20'400, 100).front().cpu_percent == 25.0);
    // Another process under the same number is not the one of before.
    CHECK(meter.measure({row(1, 2000, 100)}, 21'000, 100).front().cpu_percent == 10.0);
}

TEST_CASE("rows are sorted by what was asked for, the greatest first") {
    std::vector<TopRow> rows{row(3, 0, 1, 5), row(1, 0, 9, 1), row(2, 0, 5, 9)};
    rows[0].cpu_percent = 50;
    top_sort_rows(rows, TopSort::cpu);
    CHECK(pids(rows) == std::vector<std::int64_t>{3, 1, 2});
    top_sort_rows(rows, TopSort::memory);
    CHECK(pids(rows) == std::vector<std::int64_t>{2, 3, 1});
    top_sort_rows(rows, TopSort::time);
    CHECK(pids(rows) == std::vector<std::int64_t>{1, 2, 3});
    rows[0].process.container = "zzz";
    top_sort_rows(rows, TopSort::container);
    CHECK(pids(rows) == std::vector<std::int64_t>{2, 3, 1});
    top_sort_rows(rows, TopSort::pid);
    CHECK(pids(rows) == std::vector<std::int64_t>{1, 2, 3});
    CHECK(top_sort("mem") == TopSort::memory);
    CHECK_FALSE(top_sort("memo"));
}

TEST_CASE("the filter looks at container, user and command") {
    std::vector<TopRow> rows{row(1, 0, 0), row(2, 0, 0)};
    rows[1].process.container = "db";
    CHECK(pids(top_filter(rows, "prog 1")) == std::vector<std::int64_t>{1});
    CHECK(pids(top_filter(rows, "web/db")) == std::vector<std::int64_t>{2});
    CHECK(pids(top_filter(rows, "root")) == std::vector<std::int64_t>{1, 2});
    CHECK(top_filter(rows, "nothing").empty());
}

TEST_CASE("zombies, orphans and sums are in the drawing, and no more rows than asked for") {
    std::vector<TopRow> rows{row(1, 0, 61'000, 2048), row(2, 0, 0)};
    rows[1].process.state = "Z";
    rows[1].process.zombie = rows[0].process.orphan = true;
    rows[1].process.name = "sh";
    rows[1].process.command.clear();
    const auto text = draw_top(rows, {}, 0);
    CHECK(text.starts_with("2 processes, 1 containers, 1 zombies  cpu 0.0%  rss 2K\n"));
    CHECK(text.find("prog 1  (orphan)") != std::string::npos);
    CHECK(text.find("[sh] zombie") != std::string::npos);
    CHECK(text.find("1:01") != std::string::npos);
    CHECK(draw_top(rows, {}, 1).find("zombie\n") == std::string::npos);
    CHECK(time_text(3'600'000) == "1:00:00");
}
