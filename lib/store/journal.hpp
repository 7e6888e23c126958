// The event journal: numbered lines in one append-only file, `{"seq":7,"event":{…}}`, the newest of
// them in memory too. Each append is one write(2), so a killed writer leaves at most one torn line
// at the end, which the next open cuts off. Bounded in entries and bytes. Called by coveyd's
// engine, which holds the state folder's lock. Thread rule: one owner. Blocks as the filesystem
// does; there is no fsync(2) (the file outlives the process, not the power).
// An event that cannot be written (a full or failing disk, no descriptor) has its number and is
// kept in memory all the same, and comes into the file, in order, when that can be written again.
// Should the process end before, the next one does not know it and gives its number anew.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::store {

/// At most twice as many are in the file between two rewrites, and never more in memory.
struct JournalLimits {
    std::size_t entries = 4096;
    std::size_t bytes = 4U << 20U;
};

struct JournalEntry {
    std::uint64_t seq = 0;  // from 1, without gaps
    std::string event;      // one JSON object, one line
};

class Journal {
  public:
    /// Reads back what is there. `folder` is borrowed for the time of this object.
    static Journal open(FdRef folder, std::string name, JournalLimits limits = {});

    /// The event's number. `event` is one JSON object without a newline (as dump() writes it).
    /// Throws invalid_argument for text that is not. Whether it came into the file: unwritten().
    std::uint64_t append(std::string_view event);
    /// How many of the newest are not in the file yet. Each append() tries again, and write_out().
    [[nodiscard]] std::size_t unwritten() const noexcept { return unwritten_; }
    /// Writes them; why that cannot be.
    Result<void> write_out();
    /// How many never came into the file, because memory had to forget them before.
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

    /// The events after number `seq`, oldest first; nothing when some of them are no longer kept,
    /// or when `seq` is a number that was never given (another journal's): Code::compacted fits.
    [[nodiscard]] std::optional<std::vector<JournalEntry>> after(std::uint64_t seq) const;
    [[nodiscard]] const std::deque<JournalEntry>& entries() const noexcept { return entries_; }
    /// 0 when nothing was ever appended.
    [[nodiscard]] std::uint64_t last_seq() const noexcept { return last_seq_; }
    /// Complete lines that open() found unreadable and passed over.
    [[nodiscard]] std::size_t damaged_lines() const noexcept { return damaged_lines_; }

  private:
    Journal(FdRef folder, std::string name, JournalLimits limits);
    void read_back();
    bool cut_torn_end() noexcept;
    Result<void> write_oldest_unwritten();
    Result<void> reopen();
    void take_line(std::string_view line);
    void forget_oldest();
    void rewrite();

    FdRef folder_;
    std::string name_;
    JournalLimits limits_;
    UniqueFd file_;
    std::uint64_t file_bytes_ = 0;  // complete lines
    bool torn_ = false;             // there may be a piece of a line behind them
    std::size_t file_lines_ = 0;
    std::deque<JournalEntry> entries_;
    std::size_t entry_bytes_ = 0;
    std::uint64_t last_seq_ = 0;
    std::size_t damaged_lines_ = 0;
    std::size_t unwritten_ = 0;
    std::uint64_t lost_ = 0;
};

}  // namespace covey::store
