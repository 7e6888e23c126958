#include "runtime/standstill.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr std::string_view kNewcomer = "newcomer", kStill = "still";
constexpr std::size_t kLargestRecord = 16U << 20U;
constexpr std::chrono::milliseconds kLeftoverLimit{2000};

struct Line {
    bool is_newcomer = false;
    std::uint64_t id = 0;
    std::string path;
};

void note_group(FdRef record, std::string_view what, const cgroup::Group& group) {
    // The file is open for appending. The kernel refuses a newline in a group's name.
    sys::write_all(record, fmt::format("{} {} {}\n", what, group.id(), group.path()))
        .or_throw("write", "record of who stands still");
}

std::optional<Line> parse(std::string_view line) {
    const auto first = line.find(' ');
    if (first == line.npos) return std::nullopt;
    const auto second = line.find(' ', first + 1);
    if (second == line.npos) return std::nullopt;
    const auto id = parse_u64(line.substr(first + 1, second - first - 1));
    if (!id) return std::nullopt;
    return Line{line.substr(0, first) == kNewcomer, *id, std::string{line.substr(second + 1)}};
}

/// A last line without its end is of somebody who was killed before he told that group.
std::vector<Line> read_lines(FdRef record) {
    if (::lseek(record.get(), 0, SEEK_SET) < 0)
        throw Error::from_errno(errno, "read", "record of who stands still");
    const auto text =
        sys::read_all(record, kLargestRecord).or_throw("read", "record of who stands still");
    std::vector<Line> lines;
    std::string_view left = text;
    for (auto end = left.find('\n'); end != left.npos; end = left.find('\n')) {
        if (auto line = parse(left.substr(0, end))) lines.push_back(std::move(*line));
        left.remove_prefix(end + 1);
    }
    return lines;
}

/// Nothing: that group is gone.
std::optional<cgroup::Group> find(const cgroup::Host& host, const Line& line) {
    try {
        auto group = cgroup::Group::open(host, cgroup::Placement{line.path});
        if (group.id() == line.id) return group;
    } catch (const Error& error) {
        if (error.code() != Code::not_found) throw;
    }
    return std::nullopt;
}

}  // namespace

void note_newcomer(FdRef record, const cgroup::Group& group) {
    note_group(record, kNewcomer, group);
}

void note_still(FdRef record, const cgroup::Group& group) {
    note_group(record, kStill, group);
}

bool is_standstill_noted(FdRef record) {
    return sys::stat_fd(record).or_throw("stat", "record of who stands still").st_size > 0;
}

void forget_standstill(FdRef record) {
    if (::ftruncate(record.get(), 0) < 0)
        throw Error::from_errno(errno, "empty", "record of who stands still");
}

void undo_standstill(FdRef record, const cgroup::Host& host, Newcomer newcomer) {
    const auto lines = read_lines(record);
    if (newcomer == Newcomer::ends)
        for (const auto& line : lines)
            if (line.is_newcomer)
                if (const auto group = find(host, line)) group->end(kLeftoverLimit);
    for (const auto& line : lines)
        if (!line.is_newcomer)
            if (const auto group = find(host, line)) group->thaw();
    forget_standstill(record);
}

std::string who_keeps_still(FdRef record, const cgroup::Host& host) {
    for (const auto& line : read_lines(record))
        if (line.is_newcomer)
            if (const auto group = find(host, line)) return group->survivors();
    return {};
}

}  // namespace covey::runtime
