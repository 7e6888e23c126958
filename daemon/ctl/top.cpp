#include "ctl/top.hpp"

#include "ctl/text_safety.hpp"
#include "ctl/tree.hpp"
#include "ctl/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace covey::ctl {
namespace {

constexpr std::array<std::string_view, 5> kSorts{"cpu", "mem", "pid", "time", "container"};

std::string owner_text(const TopRow& row) {
    if (row.process.container.empty()) return row.sandbox + "/(pause)";
    std::string text = row.sandbox + "/" + row.process.container;
    if (!row.process.exec.empty()) text += " (exec)";
    return text;
}

bool goes_first(const TopRow& left, const TopRow& right, TopSort by) {
    const auto& a = left.process;
    const auto& b = right.process;
    const std::pair ids{std::tie(left.sandbox, a.pid), std::tie(right.sandbox, b.pid)};
    switch (by) {
        case TopSort::cpu:
            if (left.cpu_percent != right.cpu_percent) return left.cpu_percent > right.cpu_percent;
            break;
        case TopSort::memory:
            if (a.rss_bytes != b.rss_bytes) return a.rss_bytes > b.rss_bytes;
            break;
        case TopSort::time:
            if (a.cpu_milliseconds != b.cpu_milliseconds)
                return a.cpu_milliseconds > b.cpu_milliseconds;
            break;
        case TopSort::container:
            if (left.sandbox != right.sandbox) return left.sandbox < right.sandbox;
            if (a.container != b.container) return a.container < b.container;
            break;
        case TopSort::pid:
            return a.pid < b.pid;
    }
    return ids.first < ids.second;
}

std::string sums(const std::vector<TopRow>& rows) {
    std::set<std::string> containers;
    double cpu = 0;
    std::uint64_t memory = 0;
    std::size_t zombies = 0;
    for (const auto& row : rows) {
        cpu += row.cpu_percent;
        memory += row.process.rss_bytes;
        if (row.process.zombie) ++zombies;
        if (!row.process.container.empty())
            containers.insert(row.sandbox + "/" + row.process.container);
    }
    return fmt::format("{} processes, {} containers, {} zombies  cpu {:.1f}%  rss {}", rows.size(),
                       containers.size(), zombies, cpu, size_text(memory));
}

}  // namespace

std::optional<TopSort> top_sort(std::string_view name) {
    const auto found = std::find(kSorts.begin(), kSorts.end(), name);
    if (found == kSorts.end()) return std::nullopt;
    return static_cast<TopSort>(found - kSorts.begin());
}

std::vector<TopRow> TopMeter::measure(std::vector<TopRow> rows, std::int64_t now,
                                      std::int64_t ticks_per_second) {
    std::map<Key, std::uint64_t> current;
    for (auto& row : rows) {
        const Key key{row.process.pid, row.process.start_time};
        const auto used = row.process.cpu_milliseconds;
        const auto before = last_.find(key);
        const auto began =
            static_cast<std::int64_t>(row.process.start_time) * 1000 / ticks_per_second;
        const auto span = before != last_.end() ? now - last_time_ : now - began;
        const auto spent =
            before != last_.end() && used >= before->second ? used - before->second : used;
        row.cpu_percent =
            span > 0 ? 100.0 * static_cast<double>(spent) / static_cast<double>(span) : 0.0;
        current.emplace(key, used);
    }
    last_ = std::move(current);
    last_time_ = now;
    return rows;
}

std::vector<TopRow> top_filter(std::vector<TopRow> rows, std::string_view text) {
    if (text.empty()) return rows;
    std::erase_if(rows, [text](const TopRow& row) {
        const auto has = [text](const std::string& where) {
            return where.find(text) != std::string::npos;
        };
        return !has(owner_text(row)) && !has(user_text(row.process.uid)) &&
               !has(program_text(row.process));
    });
    return rows;
}

void top_sort_rows(std::vector<TopRow>& rows, TopSort by) {
    std::sort(rows.begin(), rows.end(), [by](const TopRow& left, const TopRow& right) {
        return goes_first(left, right, by);
    });
}

std::string draw_top(const std::vector<TopRow>& rows, const TableStyle& style, std::size_t most) {
    Table table{{{"CONTAINER", Align::left},
                 {"PID", Align::right},
                 {"HOSTPID", Align::right},
                 {"USER", Align::left},
                 {"S", Align::left},
                 {"CPU%", Align::right},
                 {"RSS", Align::right},
                 {"TIME", Align::right},
                 {"CAPS", Align::left},
                 {"COMMAND", Align::left}}};
    std::size_t shown = 0;
    for (const auto& row : rows) {
        if (most != 0 && shown++ == most) break;
        const auto& process = row.process;
        table.add({owner_text(row), process.pod_pid > 0 ? fmt::to_string(process.pod_pid) : "",
                   fmt::to_string(process.pid), user_text(process.uid), process.state,
                   fmt::format("{:.1f}", row.cpu_percent), size_text(process.rss_bytes),
                   time_text(process.cpu_milliseconds), capability_text(process.capabilities),
                   program_text(process)});
    }
    return cut_to(sums(rows), style.width) + "\n" + table.render(style);
}

std::string time_text(std::uint64_t milliseconds) {
    const auto seconds = milliseconds / 1000;
    if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
    return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace covey::ctl
