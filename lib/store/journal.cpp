#include "store/journal.hpp"

#include "base/json.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/own_file.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace covey::store {
namespace {

using Json = nlohmann::json;

// A file that grew beyond this is not ours: twice the limits is the most we write.
constexpr std::size_t kReadFactor = 4;

std::string line_of(std::uint64_t seq, std::string_view event) {
    std::string line = "{\"seq\":" + std::to_string(seq) + ",\"event\":";
    line.append(event).append("}\n");
    return line;
}

bool is_one_object(std::string_view event) {
    if (event.empty() || event.front() != '{' || event.find('\n') != std::string_view::npos)
        return false;
    return Json::accept(event);
}

}  // namespace

Journal::Journal(FdRef folder, std::string name, JournalLimits limits)
    : folder_(folder), name_(std::move(name)), limits_(limits) {
}

Journal Journal::open(FdRef folder, std::string name, JournalLimits limits) {
    Journal journal{folder, std::move(name), limits};
    auto file = sys::open_own_file_at(folder, journal.name_, O_RDWR | O_CREAT | O_APPEND, 0600);
    if (!file && sys::is_no_regular_file(file.error()))
        throw Error(Code::failed_precondition,
                    "journal " + journal.name_ + " is " +
                        std::string{sys::kind_of_file(folder, journal.name_)} +
                        ", not a regular file")
            .with_fix("remove it from the state folder; numbering starts again");
    journal.file_ = std::move(file).or_throw("open journal", journal.name_);
    journal.read_back();
    return journal;
}

/// False with errno.
bool Journal::cut_torn_end() noexcept {
    if (::ftruncate(file_.get(), static_cast<off_t>(file_bytes_)) < 0) return false;
    torn_ = false;
    return true;
}

void Journal::read_back() {
    const auto most = kReadFactor * limits_.bytes + (1U << 20U);
    auto read = sys::read_all(file_, most);
    if (!read && read.error() == EFBIG)
        throw Error(Code::failed_precondition, "journal " + name_ + " is larger than any of ours")
            .with_fix("move it away; numbering starts again");
    const auto text = std::move(read).or_throw("read journal", name_);
    file_bytes_ = text.rfind('\n') + 1;  // npos + 1 is 0
    if (file_bytes_ != text.size() && !cut_torn_end())
        throw Error::from_errno(errno, "cut the torn last line of journal", name_);
    for (std::size_t at = 0; at < file_bytes_;) {
        const auto newline = text.find('\n', at);
        take_line(std::string_view{text}.substr(at, newline - at));
        at = newline + 1;
        ++file_lines_;
    }
}

void Journal::take_line(std::string_view line) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    const bool whole = json.is_object() && json.contains("seq") && json.contains("event") &&
                       json["seq"].is_number_unsigned() && json["event"].is_object() &&
                       json["seq"].get<std::uint64_t>() > last_seq_;
    const auto seq = whole ? json["seq"].get<std::uint64_t>() : last_seq_ + 1;
    // Nobody may read across a gap without being told: what is before it counts as compacted.
    if (!whole || seq != last_seq_ + 1) {
        entries_.clear();
        entry_bytes_ = 0;
    }
    last_seq_ = seq;  // a damaged line's number is not given again
    if (!whole) {
        ++damaged_lines_;
        return;
    }
    entries_.push_back({seq, json["event"].dump(-1, ' ', false, Json::error_handler_t::replace)});
    entry_bytes_ += entries_.back().event.size();
    forget_oldest();
}

std::uint64_t Journal::append(std::string_view event) {
    if (!is_one_object(event))
        throw Error(Code::invalid_argument, "an event must be one JSON object on one line");
    entries_.push_back({++last_seq_, std::string{event}});
    entry_bytes_ += event.size();
    ++unwritten_;
    (void)write_out();  // the caller asks unwritten()
    forget_oldest();
    return last_seq_;
}

Result<void> Journal::write_out() {
    while (unwritten_ > 0) {
        if (const auto written = write_oldest_unwritten(); !written) return written;
        --unwritten_;
    }
    if (file_lines_ > 2 * limits_.entries || file_bytes_ > 2 * limits_.bytes) rewrite();
    return {};
}

Result<void> Journal::write_oldest_unwritten() {
    if (!file_.valid())
        if (const auto opened = reopen(); !opened) return opened;
    if (torn_ && !cut_torn_end()) return Errno{errno};
    const auto& entry = entries_[entries_.size() - unwritten_];
    const auto line = line_of(entry.seq, entry.event);
    torn_ = true;
    if (const auto written = sys::write_all(file_, line); !written) {
        (void)cut_torn_end();
        return written;
    }
    torn_ = false;
    file_bytes_ += line.size();
    ++file_lines_;
    return {};
}

void Journal::forget_oldest() {
    // The newest entry stays whatever its size: the next number is known by it.
    while (entries_.size() > 1 &&
           (entries_.size() > limits_.entries || entry_bytes_ > limits_.bytes)) {
        entry_bytes_ -= entries_.front().event.size();
        entries_.pop_front();
    }
    if (unwritten_ <= entries_.size()) return;
    lost_ += unwritten_ - entries_.size();
    unwritten_ = entries_.size();
}

void Journal::rewrite() {
    std::string text;
    text.reserve(entry_bytes_ + entries_.size() * 32);
    for (const auto& entry : entries_)
        text += line_of(entry.seq, entry.event);
    // All of it is in the file already: without room for a second file, or a descriptor, go on with
    // the long one and try again with the next event.
    if (!sys::replace_file_at(folder_, name_, text, 0600)) return;
    file_.reset();  // that one has no name any more
    file_bytes_ = text.size();
    file_lines_ = entries_.size();
    (void)reopen();  // without a descriptor to spare: with the next event
}

Result<void> Journal::reopen() {
    auto file = sys::open_own_file_at(folder_, name_, O_RDWR | O_APPEND);
    if (!file) return Errno{file.error()};
    file_ = std::move(file).value();
    return {};
}

std::optional<std::vector<JournalEntry>> Journal::after(std::uint64_t seq) const {
    if (seq > last_seq_) return {};
    if (seq == last_seq_) return std::vector<JournalEntry>{};
    if (entries_.empty() || entries_.front().seq > seq + 1) return {};
    std::vector<JournalEntry> result;
    for (const auto& entry : entries_)
        if (entry.seq > seq) result.push_back(entry);
    return result;
}

}  // namespace covey::store
