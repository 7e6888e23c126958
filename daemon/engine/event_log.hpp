// The event log: numbered, never lossy. On disk through store::Journal; readers wait here and are
// told when what they ask for is no longer kept.
// An event that cannot be written (no room) is told to readers all the same; the file gets it when
// it can be written again. The log says when that begins and ends. Used by the engine. Thread rule:
// the io_context's one thread. Blocks as the state folder's filesystem does.
#pragma once

#include "api/action.hpp"
#include "api/metrics.hpp"
#include "engine/async.hpp"
#include "engine/engine.hpp"
#include "store/journal.hpp"

#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace covey::daemon {

[[nodiscard]] std::int64_t unix_microseconds();

/// One JSON object without seq, which is the journal's; decoding never throws for unknown keys.
[[nodiscard]] std::string encode_event(const EventRecord& event);
[[nodiscard]] EventRecord decode_event(std::uint64_t seq, std::string_view text);

class EventLog : public std::enable_shared_from_this<EventLog> {
  public:
    /// `folder` is borrowed for the time of this object.
    EventLog(boost::asio::any_io_executor executor, FdRef folder, std::size_t kept);

    /// Fills in `seq` and `time`; the number it got.
    std::uint64_t append(EventRecord event);
    /// Throws compacted when events after `since` are no longer kept, or `since` was never given.
    [[nodiscard]] std::unique_ptr<EventReader> reader(std::uint64_t since);
    [[nodiscard]] std::uint64_t newest() const noexcept { return journal_.last_seq(); }
    /// Of those that were appended, written or not.
    [[nodiscard]] EventCounters counters() const;
    [[nodiscard]] const std::deque<store::JournalEntry>& entries() const noexcept {
        return journal_.entries();
    }

  private:
    friend class LogReader;
    void require_kept(std::uint64_t since) const;
    void look_at_disk();

    boost::asio::any_io_executor executor_;
    store::Journal journal_;
    bool is_behind_ = false;  // the file is, and somebody tries again
    EventCounters counters_;
    Signal changed_;
};

}  // namespace covey::daemon
