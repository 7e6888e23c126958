#include "runtime/seat.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

namespace covey::runtime {
namespace {

constexpr std::string_view kRunning = "running";
constexpr std::string_view kEnded = "ended ";
constexpr char kEnd = '\0';

Error nonsense() {
    return Error(Code::internal, "a message about an exec makes no sense");
}

void put(std::string& text, const std::vector<std::string>& words) {
    text += std::to_string(words.size()) + kEnd;
    for (const auto& word : words)
        text += word + kEnd;
}

std::vector<std::string> take_words(std::string_view& text) {
    const auto next = [&text] {
        const auto end = text.find(kEnd);
        if (end == text.npos) throw nonsense();
        const auto word = text.substr(0, end);
        text.remove_prefix(end + 1);
        return std::string{word};
    };
    const auto count = parse_u32(next());
    if (!count || *count > text.size()) throw nonsense();
    std::vector<std::string> words(*count);
    for (auto& word : words)
        word = next();
    return words;
}

}  // namespace

std::optional<Seat> Seat::take() {
    const std::string name{kSeatVariable};
    const char* value = std::getenv(name.c_str());
    const auto number = value == nullptr ? std::nullopt : parse_u32(value);
    ::unsetenv(name.c_str());
    if (!number) return std::nullopt;
    const FdRef socket{static_cast<int>(*number)};
    sys::set_cloexec(socket, true).or_throw("fcntl", "connection of the exec");
    return Seat{socket};
}

std::optional<int> Seat::receive_signal() const {
    const auto packet = sys::receive_packet(socket_);
    if (!packet || packet.value().data.empty()) return std::nullopt;
    const auto signal = parse_u32(packet.value().data);
    if (!signal) throw nonsense();
    return static_cast<int>(*signal);
}

void Seat::tell_running() const {
    sys::send_packet(socket_, kRunning).or_throw("send", "report");
}

void Seat::tell_ended(const sys::ExitStatus& status) const {
    // Who asked may have gone: then nobody wants to know.
    (void)sys::send_packet(socket_, fmt::format("{}{} {}", kEnded, status.code, status.signal));
}

std::string encode(const CommandLine& line) {
    std::string text;
    put(text, line.args);
    put(text, line.env);
    return text;
}

CommandLine decode_command_line(std::string_view packet) {
    CommandLine line;
    line.args = take_words(packet);
    line.env = take_words(packet);
    return line;
}

std::string encode_signal(int signal) {
    return std::to_string(signal);
}

std::optional<SeatReport> receive_report(FdRef socket) {
    const auto packet = sys::receive_packet(socket).or_throw("receive", "report of the exec");
    const std::string_view text = packet.data;
    if (text.empty()) return std::nullopt;
    if (text == kRunning) return Running{};
    if (!text.starts_with(kEnded)) throw nonsense();
    const auto numbers = split(text.substr(kEnded.size()), ' ');
    if (numbers.size() != 2) throw nonsense();
    const auto code = parse_u32(numbers[0]);
    const auto signal = parse_u32(numbers[1]);
    if (!code || !signal) throw nonsense();
    return sys::ExitStatus{static_cast<int>(*code), static_cast<int>(*signal)};
}

}  // namespace covey::runtime
