// covey top: the processes of sandboxes with what they use, as rows: measured between two looks,
// sorted, filtered, drawn. Called by cmd_top.cpp. Thread rule: values and pure functions. Do not
// block.
#pragma once

#include "ctl/answers.hpp"
#include "ctl/table.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace covey::ctl {

enum class TopSort { cpu, memory, pid, time, container };
/// "cpu", "mem", "pid", "time" or "container"; nothing for another word.
[[nodiscard]] std::optional<TopSort> top_sort(std::string_view name);

struct TopRow {
    ProcessAnswer process;
    std::string sandbox;
    double cpu_percent = 0;  // of one processor
};

/// What was used since the look before; at the first, since the process began.
class TopMeter {
  public:
    /// Times since boot, in milliseconds; `ticks_per_second` of the processes' start times.
    [[nodiscard]] std::vector<TopRow> measure(std::vector<TopRow> rows, std::int64_t now,
                                              std::int64_t ticks_per_second);

  private:
    using Key = std::pair<std::int64_t, std::uint64_t>;  // pid, start time
    std::map<Key, std::uint64_t> last_;                  // processor milliseconds
    std::int64_t last_time_ = 0;
};

/// Rows whose container, user or command has the text; empty: all.
[[nodiscard]] std::vector<TopRow> top_filter(std::vector<TopRow> rows, std::string_view text);
void top_sort_rows(std::vector<TopRow>& rows, TopSort by);
/// A line of sums, the titles, and at most `most` rows (0: all).
[[nodiscard]] std::string draw_top(const std::vector<TopRow>& rows, const TableStyle& style,
                                   std::size_t most);

/// "0:07", "12:34", "3:02:01": processor time.
[[nodiscard]] std::string time_text(std::uint64_t milliseconds);

}  // namespace covey::ctl
