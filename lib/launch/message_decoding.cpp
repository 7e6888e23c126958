// What a packet of the hand-shake says. Its bytes and descriptors may be a liar's: every field is
// bounded, every descriptor looked at.
#include "base/text.hpp"
#include "launch/message.hpp"
#include "launch/message_words.hpp"
#include "sys/file.hpp"
#include "sys/terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <sys/stat.h>

namespace covey::launch {
namespace {

[[noreturn]] void refuse_message(std::string_view what) {
    throw Error(Code::internal, fmt::format("{} in a launch's hand-shake", what));
}

class Fields {
  public:
    explicit Fields(std::string_view packet) : rest_(packet) {}
    std::string_view next() {
        const auto end = rest_.find('\0');
        if (end == std::string_view::npos) refuse_message("cut message");
        const auto field = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return field;
    }
    bool flag() { return next() == "1"; }
    pid_t number() { return static_cast<pid_t>(parse_u32(next()).value_or(0)); }
    std::vector<std::string> list() {
        const auto count = parse_u32(next()).value_or(0);
        if (count > kMostItems) refuse_message("too long a list");
        std::vector<std::string> items;
        for (std::uint32_t i = 0; i < count; ++i)
            items.emplace_back(next());
        return items;
    }
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }

  private:
    std::string_view rest_;
};

/// Shown to people, who may look at it in a terminal.
std::string clean(std::string_view text, std::size_t most) {
    std::string result{text.substr(0, most)};
    for (auto& c : result)
        if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7F) c = '?';
    if (!is_utf8(result))
        std::replace_if(
            result.begin(), result.end(),
            [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    return result;
}

Error decode_error(Fields fields) {
    constexpr std::size_t kLongestText = 8192, kMostCauses = 16;
    const Code code = code_from_name(fields.next());
    const auto error = static_cast<int>(parse_u32(fields.next()).value_or(0));
    auto detail = clean(fields.next(), kLongestText);
    auto fix = clean(fields.next(), kLongestText);
    std::vector<std::string> causes;
    while (!fields.at_end() && causes.size() < kMostCauses)
        causes.push_back(clean(fields.next(), kLongestText));
    return Error::restored(code, std::move(detail), std::move(fix), std::move(causes), error);
}

/// The descriptors of a packet, taken in their order and each looked at.
class Attached {
  public:
    Attached(std::vector<UniqueFd> fds, std::size_t wanted) : fds_(std::move(fds)) {
        if (fds_.size() != wanted)
            refuse_message("a message with other descriptors than it announces");
    }
    UniqueFd terminal() {
        auto fd = next();
        if (!sys::is_pty_master(fd)) refuse_message("what is no master of a terminal");
        return fd;
    }
    UniqueFd pipe() {
        auto fd = next();
        const auto status = sys::stat_fd(fd);
        if (!status || !S_ISFIFO(status.value().st_mode)) refuse_message("what is no pipe");
        return fd;
    }
    UniqueFd output() {
        auto fd = next();
        const auto status = sys::stat_fd(fd);
        const auto type = status ? status.value().st_mode & S_IFMT : 0U;
        if (type != S_IFREG && type != S_IFIFO && type != S_IFCHR)
            refuse_message("what is no stream");
        return fd;
    }
    UniqueFd socket() {
        auto fd = next();
        const auto status = sys::stat_fd(fd);
        if (!status || !S_ISSOCK(status.value().st_mode)) refuse_message("what is no socket");
        return fd;
    }
    UniqueFd listener() {
        auto fd = next();
        const auto name = sys::readlink_at(sys::kCwd, sys::fd_path(fd));
        if (!name || name.value() != "anon_inode:seccomp notify")
            refuse_message("what is no seccomp listener");
        return fd;
    }

  private:
    UniqueFd next() { return std::move(fds_[next_++]); }

    std::vector<UniqueFd> fds_;
    std::size_t next_ = 0;
};

Prepared decode_prepared(Fields fields, std::vector<UniqueFd> fds) {
    Prepared prepared;
    const bool has_terminal = fields.flag(), has_held = fields.flag(), has_output = fields.flag();
    prepared.used_proc_context = fields.flag();
    prepared.command = fields.list();
    prepared.warnings = fields.list();
    Attached attached{std::move(fds),
                      (has_terminal ? 1U : 0U) + (has_held ? 1U : 0U) + (has_output ? 1U : 0U)};
    if (has_terminal) prepared.terminal = attached.terminal();
    if (has_held) prepared.held_stdin = attached.pipe();
    if (has_output) prepared.terminal_output = attached.output();
    return prepared;
}

SeccompListener decode_listener(std::vector<UniqueFd> fds) {
    return {Attached{std::move(fds), 1}.listener()};
}

template <typename Message>
Message without_descriptors(std::vector<UniqueFd> fds, Message message) {
    const Attached none{std::move(fds), 0};
    return message;
}

}  // namespace

Error decode_failure(std::string_view packet) {
    if (packet.empty() || packet.front() != kFailed) refuse_message("unknown message");
    return decode_error(Fields{packet.substr(1)});
}

LauncherMessage decode_launcher_message(sys::Packet packet) {
    if (packet.data.empty()) refuse_message("empty message");
    Fields fields{std::string_view{packet.data}.substr(1)};
    auto& fds = packet.fds;
    switch (packet.data.front()) {
        case kPrepared:
            return decode_prepared(fields, std::move(fds));
        case kHooksDue:
            return without_descriptors(std::move(fds), HooksDue{});
        case kAgent: {
            auto socket = Attached{std::move(fds), 1}.socket();
            return SeccompAgent{std::move(socket), std::string{fields.next()}};
        }
        case kListener:
            return decode_listener(std::move(fds));
        case kSpawner: {
            auto control = Attached{std::move(fds), 1}.socket();
            return Spawner{fields.number(), std::move(control)};
        }
        case kNeighboursDue:
            return without_descriptors(std::move(fds), NeighboursDue{});
        case kBetween:
            return without_descriptors(std::move(fds), Between{fields.number()});
        case kDropped:
            return without_descriptors(std::move(fds), Dropped{});
        case kFailed:
            return without_descriptors(std::move(fds), Failed{decode_error(fields)});
        default:
            refuse_message("unknown message");
    }
}

NewbornMessage decode_newborn_message(sys::Packet packet) {
    if (packet.data.empty()) refuse_message("empty message");
    const Fields fields{std::string_view{packet.data}.substr(1)};
    auto& fds = packet.fds;
    switch (packet.data.front()) {
        case kAlive:
            return without_descriptors(std::move(fds), Alive{});
        case kHooksDue:
            return without_descriptors(std::move(fds), HooksDue{});
        case kTerminal:
            return TerminalOpened{Attached{std::move(fds), 1}.terminal()};
        case kListener:
            return decode_listener(std::move(fds));
        case kReady:
            return without_descriptors(std::move(fds), Ready{});
        case kFailed:
            return without_descriptors(std::move(fds), Failed{decode_error(fields)});
        default:
            refuse_message("unknown message");
    }
}

}  // namespace covey::launch
