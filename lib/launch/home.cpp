#include "launch/home.hpp"

#include "base/text.hpp"
#include "plan/environment.hpp"
#include "sys/file.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fcntl.h>
#include <unistd.h>

namespace covey::launch {
namespace {

/// Some ten thousand users; who has more has them in no file.
constexpr std::size_t kMostRead = 1U << 20U;
constexpr const char* kDatabase = "/etc/passwd";
constexpr const char* kNoHome = "/";

/// What the kernel makes up (/proc, /sys) has no size, and may not be read for nothing.
bool can_be_read(FdRef file) {
    const auto status = sys::stat_fd(file);
    return status && S_ISREG(status.value().st_mode) && status.value().st_size > 0;
}

/// Its first part, or nothing at all. Looked at before it is opened for reading: to open a device
/// may do something.
std::string read_database(FdRef root) {
    const auto place = sys::open_in_root(root, kDatabase, O_PATH);
    if (!place || !can_be_read(place.value())) return {};
    const auto file = sys::open_in_root(root, kDatabase, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file || !can_be_read(file.value())) return {};
    std::string text;
    std::array<char, 16384> chunk{};
    while (text.size() < kMostRead) {
        const auto got = ::read(file.value().get(), chunk.data(), chunk.size());
        if (got <= 0) break;
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return text;
}

bool is_number(std::string_view text, uid_t wanted) {
    uid_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number == wanted;
}

bool has_control_characters(std::string_view text) {
    constexpr unsigned char kFirstPrintable = 0x20, kDelete = 0x7f;
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < kFirstPrintable || byte == kDelete;
    });
}

}  // namespace

std::optional<std::string> home_in(std::string_view passwd, uid_t uid) {
    // name:password:uid:gid:comment:home:shell
    constexpr std::size_t kUid = 2, kHome = 5;
    while (!passwd.empty()) {
        const auto end = passwd.find('\n');
        const auto fields = split(passwd.substr(0, end), ':');
        passwd = end == std::string_view::npos ? std::string_view{} : passwd.substr(end + 1);
        if (fields.size() <= kHome || !is_number(fields[kUid], uid)) continue;
        if (fields[kHome].empty() || has_control_characters(fields[kHome])) return std::nullopt;
        return std::string{fields[kHome]};
    }
    return std::nullopt;
}

void complete_home(plan::ProcessPlan& process, FdRef root) {
    if (!plan::variable(process.env, "HOME").empty()) return;
    plan::set_variable(process.env, "HOME",
                       home_in(read_database(root), process.uid).value_or(kNoHome));
}

}  // namespace covey::launch
