#include "engine/event_log.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

// An event is some 200 bytes; labels and the like are not in it.
constexpr std::size_t kBytesAnEvent = 256;

}  // namespace

std::int64_t unix_microseconds() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

class LogReader final : public EventReader {
  public:
    LogReader(std::shared_ptr<EventLog> log, std::uint64_t since)
        : log_(std::move(log)), last_(since) {}

    asio::awaitable<std::optional<EventRecord>> next(std::chrono::milliseconds limit) override {
        const auto deadline = Clock::now() + limit;
        while (log_->newest() <= last_) {
            if (Clock::now() >= deadline) co_return std::nullopt;
            co_await log_->changed_.wait_until(deadline);
        }
        log_->require_kept(last_);
        const auto& entries = log_->entries();
        const auto& entry = entries[static_cast<std::size_t>(last_ + 1 - entries.front().seq)];
        last_ = entry.seq;
        co_return decode_event(entry.seq, entry.event);
    }

  private:
    std::shared_ptr<EventLog> log_;
    std::uint64_t last_;
};

EventLog::EventLog(asio::any_io_executor executor, FdRef folder, std::size_t kept)
    : executor_(executor),
      journal_(store::Journal::open(folder, "events.ndjson", {kept, kept * kBytesAnEvent})),
      changed_(std::move(executor)) {
    if (journal_.damaged_lines() != 0)
        log::warning("the event journal has unreadable lines",
                     {{"lines", std::to_string(journal_.damaged_lines())}});
}

std::uint64_t EventLog::append(EventRecord event) {
    event.time = unix_microseconds();
    counters_.count(event);
    const auto seq = journal_.append(encode_event(event));
    look_at_disk();
    changed_.notify();
    return seq;
}

void EventLog::look_at_disk() {
    if (is_behind_ || journal_.unwritten() == 0) return;
    const auto written = journal_.write_out();
    if (written) return;
    is_behind_ = true;
    log::error(
        "events cannot be written to the journal: listeners are told, a coveyd that starts "
        "now would not know them",
        {{"file", "events.ndjson"}, {"problem", errno_text(written.error())}});
    retry(executor_, weak_from_this(), [this] {
        if (!journal_.write_out()) return false;
        is_behind_ = false;
        log::info("the event journal is whole again", {{"lost", std::to_string(journal_.lost())}});
        return true;
    });
}

EventCounters EventLog::counters() const {
    auto counters = counters_;
    counters.unwritten = journal_.unwritten();
    counters.lost = journal_.lost();
    return counters;
}

void EventLog::require_kept(std::uint64_t since) const {
    const auto newest = journal_.last_seq();
    const auto& kept = journal_.entries();
    if (since == newest) return;
    if (since > newest)
        throw Error(Code::compacted,
                    fmt::format("there is no event {} yet: the newest is {}", since, newest))
            .with_fix("list again, and continue from its resourceVersion");
    if (kept.empty() || kept.front().seq > since + 1)
        throw Error(Code::compacted,
                    fmt::format("events after {} are no longer kept: the oldest is {}", since,
                                kept.empty() ? newest : kept.front().seq))
            .with_fix("list again, and continue from its resourceVersion");
}

std::unique_ptr<EventReader> EventLog::reader(std::uint64_t since) {
    require_kept(since);
    return std::make_unique<LogReader>(shared_from_this(), since);
}

}  // namespace covey::daemon
