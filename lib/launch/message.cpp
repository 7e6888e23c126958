#include "launch/message.hpp"

#include "base/text.hpp"
#include "sys/file.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <algorithm>
#include <array>
#include <climits>

namespace covey::launch {
namespace {

// A packet is its kind, then fields that each end with a NUL.
constexpr char kBorn = 'B', kReady = 'R', kFailed = 'F', kHooksDue = 'H', kGo = 'G', kAgent = 'A',
               kListener = 'L', kNeighboursDue = 'N', kDropped = 'D', kHelper = 'P', kSpawner = 'S';

void put(std::string& packet, std::string_view field) {
    // A NUL in a field (argv cannot have one, an error text might quote one) must not split it.
    for (const char c : field)
        packet += c == '\0' ? '?' : c;
    packet += '\0';
}

class Fields {
  public:
    explicit Fields(std::string_view packet) : rest_(packet) {}
    std::string next() {
        const auto end = rest_.find('\0');
        if (end == std::string_view::npos)
            throw Error(Code::internal, "cut message in a launch's hand-shake");
        std::string field{rest_.substr(0, end)};
        rest_.remove_prefix(end + 1);
        return field;
    }
    std::vector<std::string> list() {
        std::vector<std::string> items(parse_u32(next()).value_or(0) & 0xFFFFU);
        for (auto& item : items)
            item = next();
        return items;
    }
    std::vector<std::string> all() {
        std::vector<std::string> items;
        while (!rest_.empty())
            items.push_back(next());
        return items;
    }

  private:
    std::string_view rest_;
};

void put_list(std::string& packet, const std::vector<std::string>& items) {
    // Shown to people only: cut what would not fit into one packet.
    constexpr std::size_t kMostItems = 64, kLongestItem = 1024;
    const std::size_t count = std::min(items.size(), kMostItems);
    put(packet, std::to_string(count));
    for (std::size_t i = 0; i < count; ++i)
        put(packet, std::string_view{items[i]}.substr(0, kLongestItem));
}

Born decode_born(Fields fields, std::vector<UniqueFd> fds) {
    Born born;
    born.pid = static_cast<pid_t>(parse_u32(fields.next()).value_or(0));
    const bool has_terminal = fields.next() == "1";
    const bool has_held = fields.next() == "1";
    born.used_proc_context = fields.next() == "1";
    born.command = fields.list();
    born.warnings = fields.list();
    const std::size_t wanted = 1U + (has_terminal ? 1U : 0U) + (has_held ? 1U : 0U);
    if (fds.size() != wanted)
        throw Error(Code::internal, "a launch's 'born' message lacks its descriptors");
    std::size_t next = 0;
    born.pidfd = std::move(fds[next++]);
    // Who was born by a process of the pod has there another number than here.
    if (born.pid == 0) born.pid = sys::pidfd_number(born.pidfd).or_throw("read number of", "init");
    if (has_terminal) born.terminal = std::move(fds[next++]);
    if (has_held) born.held_stdin = std::move(fds[next++]);
    return born;
}

UniqueFd only_one(std::vector<UniqueFd>& fds) {
    if (fds.size() != 1)
        throw Error(Code::internal, "a launch's seccomp message lacks its descriptor");
    return std::move(fds.front());
}

Ready decode_ready(std::vector<UniqueFd> fds) {
    if (fds.size() > 1)
        throw Error(Code::internal, "a launch's hand-shake has too many descriptors");
    Ready ready;
    if (!fds.empty()) ready.terminal = std::move(fds.front());
    return ready;
}

/// Blocks until the parent says go.
void ask(FdRef socket, std::string_view packet, const char* when_gone) {
    sys::send_packet(socket, packet).or_throw("send", "hand-shake");
    const auto answer = sys::receive_packet(socket).or_throw("receive", "hand-shake");
    if (answer.data != std::string_view{&kGo, 1}) throw Error(Code::internal, when_gone);
}

Failed decode_failed(Fields fields) {
    const Code code = code_from_name(fields.next());
    const int error = static_cast<int>(parse_u32(fields.next()).value_or(0));
    std::string detail = fields.next();
    std::string fix = fields.next();
    return Failed{Error::restored(code, std::move(detail), std::move(fix), fields.all(), error)};
}

}  // namespace

void send_born(FdRef socket, const Born& born) {
    std::string packet{kBorn};
    put(packet, std::to_string(born.pid));
    put(packet, born.terminal ? "1" : "0");
    put(packet, born.held_stdin ? "1" : "0");
    put(packet, born.used_proc_context ? "1" : "0");
    put_list(packet, born.command);
    put_list(packet, born.warnings);
    std::vector<FdRef> fds{born.pidfd.ref()};
    if (born.terminal) fds.push_back(born.terminal.ref());
    if (born.held_stdin) fds.push_back(born.held_stdin.ref());
    sys::send_packet(socket, packet, fds).or_throw("send", "hand-shake");
}

void send_ready(FdRef socket, FdRef terminal) {
    std::vector<FdRef> fds;
    if (terminal.valid()) fds.push_back(terminal);
    sys::send_packet(socket, std::string_view{&kReady, 1}, fds).or_throw("send", "hand-shake");
}

void send_agent(FdRef socket, FdRef agent, std::string_view metadata) {
    std::string packet{kAgent};
    put(packet, metadata);
    sys::send_packet(socket, packet, std::array{agent}).or_throw("send", "hand-shake");
}

void send_listener(FdRef socket, FdRef listener) {
    sys::send_packet(socket, std::string_view{&kListener, 1}, std::array{listener})
        .or_throw("send", "hand-shake");
}

void ask_for_hooks(FdRef socket, pid_t pid) {
    std::string packet{kHooksDue};
    put(packet, std::to_string(pid));
    ask(socket, packet, "the runtime ended while its hooks ran");
}

void ask_for_stillness(FdRef socket) {
    ask(socket, {&kNeighboursDue, 1}, "nobody holds the neighbours still");
}

void send_dropped(FdRef socket) {
    sys::send_packet(socket, std::string_view{&kDropped, 1}).or_throw("send", "hand-shake");
}

void send_spawner(FdRef socket, FdRef pidfd, FdRef control) {
    const std::array fds{pidfd, control};
    sys::send_packet(socket, std::string_view{&kSpawner, 1}, fds).or_throw("send", "hand-shake");
}

void send_helper(FdRef socket, FdRef pidfd) {
    const std::array fds{pidfd};
    sys::send_packet(socket, std::string_view{&kHelper, 1}, fds).or_throw("send", "hand-shake");
}

void send_go(FdRef socket) {
    sys::send_packet(socket, std::string_view{&kGo, 1}).or_throw("send", "hand-shake");
}

namespace {

/// A packet of at most about `room` bytes: causes are left out first.
std::string encode_failed(const Error& error, std::size_t room) {
    std::string packet{kFailed};
    put(packet, code_name(error.code()));
    put(packet, std::to_string(error.errno_value()));
    put(packet, std::string_view{error.what()}.substr(0, room));
    put(packet,
        std::string_view{error.fix()}.substr(0, packet.size() < room ? room - packet.size() : 0));
    for (const auto& cause : error.causes())
        if (packet.size() + cause.size() < room) put(packet, cause);
    return packet;
}

}  // namespace

void send_failed(FdRef socket, const Error& error) noexcept {
    try {
        constexpr std::size_t kRoom = 64U << 10U;
        (void)sys::send_packet(socket, encode_failed(error, kRoom));
    } catch (...) {  // NOLINT(bugprone-empty-catch): see the header
    }
}

void write_failure(FdRef fifo, const Error& error) noexcept {
    try {
        constexpr std::size_t kRoom = PIPE_BUF - 64;  // the code, the errno and the NULs
        (void)sys::write_all(fifo, encode_failed(error, kRoom));
    } catch (...) {  // NOLINT(bugprone-empty-catch): see the header
    }
}

Error decode_failure(std::string_view packet) {
    if (packet.empty() || packet.front() != kFailed)
        throw Error(Code::internal, "unknown message in a launch's hand-shake");
    return decode_failed(Fields{packet.substr(1)}).error;
}

std::optional<Message> receive_message(FdRef socket) {
    auto packet = sys::receive_packet(socket).or_throw("receive", "hand-shake");
    if (packet.data.empty()) return std::nullopt;
    const Fields fields{std::string_view{packet.data}.substr(1)};
    switch (packet.data.front()) {
        case kBorn:
            return decode_born(fields, std::move(packet.fds));
        case kReady:
            return decode_ready(std::move(packet.fds));
        case kFailed:
            return decode_failed(fields);
        case kSpawner:
            if (packet.fds.size() != 2)
                throw Error(Code::internal, "a launch's 'spawner' message lacks its descriptors");
            return Spawner{std::move(packet.fds[0]), std::move(packet.fds[1])};
        case kNeighboursDue:
            return NeighboursDue{};
        case kDropped:
            return Dropped{};
        case kHelper:
            return Helper{only_one(packet.fds)};
        case kHooksDue:
            return HooksDue{static_cast<pid_t>(parse_u32(Fields{fields}.next()).value_or(0))};
        case kAgent:
            return SeccompAgent{only_one(packet.fds), Fields{fields}.next()};
        case kListener:
            return SeccompListener{only_one(packet.fds)};
        default:
            throw Error(Code::internal, "unknown message in a launch's hand-shake");
    }
}

}  // namespace covey::launch
