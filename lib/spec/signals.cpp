// Signal names by a table of our own: strsignal(3) depends on the locale, and SIGRTMIN in glibc is
// a function call whose answer is 34 on every Linux it runs on.
#include "base/text.hpp"
#include "spec/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace covey::spec {
namespace {

using namespace std::string_view_literals;

constexpr int kFirstRealTime = 34, kLastSignal = 64;

// signal(7), x86 and arm: the number is the index plus one. Then the two ends of the real-time
// range.
constexpr std::array kSignals{
    "SIGHUP"sv,  "SIGINT"sv,    "SIGQUIT"sv, "SIGILL"sv,   "SIGTRAP"sv,   "SIGABRT"sv, "SIGBUS"sv,
    "SIGFPE"sv,  "SIGKILL"sv,   "SIGUSR1"sv, "SIGSEGV"sv,  "SIGUSR2"sv,   "SIGPIPE"sv, "SIGALRM"sv,
    "SIGTERM"sv, "SIGSTKFLT"sv, "SIGCHLD"sv, "SIGCONT"sv,  "SIGSTOP"sv,   "SIGTSTP"sv, "SIGTTIN"sv,
    "SIGTTOU"sv, "SIGURG"sv,    "SIGXCPU"sv, "SIGXFSZ"sv,  "SIGVTALRM"sv, "SIGPROF"sv, "SIGWINCH"sv,
    "SIGIO"sv,   "SIGPWR"sv,    "SIGSYS"sv,  "SIGRTMIN"sv, "SIGRTMAX"sv,
};
constexpr std::size_t kStandardSignals = 31;
static_assert(kSignals.size() == kStandardSignals + 2);

struct Alias {
    std::string_view name;
    int number;
};
constexpr std::array kAliases{Alias{"CLD", 17}, Alias{"POLL", 29}, Alias{"IOT", 6},
                              Alias{"UNUSED", 31}};

constexpr std::string_view kPrefix = "SIG";

/// "RTMIN", "RTMIN+3", "RTMAX-1".
std::optional<int> real_time(std::string_view name) noexcept {
    const bool from_first = name.starts_with("RTMIN");
    if (!from_first && !name.starts_with("RTMAX")) return std::nullopt;
    name.remove_prefix(5);
    std::uint32_t distance = 0;
    if (!name.empty()) {
        if (name.front() != (from_first ? '+' : '-')) return std::nullopt;
        const auto number = parse_u32(name.substr(1));
        if (!number || *number > kLastSignal - kFirstRealTime) return std::nullopt;
        distance = *number;
    }
    return from_first ? kFirstRealTime + static_cast<int>(distance)
                      : kLastSignal - static_cast<int>(distance);
}

}  // namespace

std::optional<int> signal_number(std::string_view name) noexcept {
    if (const auto number = parse_u32(name)) {
        if (*number < 1 || *number > kLastSignal) return std::nullopt;
        return static_cast<int>(*number);
    }
    constexpr std::size_t kLongestName = 16;  // so that the upper-case copy needs no heap
    if (name.empty() || name.size() > kLongestName) return std::nullopt;
    std::array<char, kLongestName> buffer{};
    std::transform(name.begin(), name.end(), buffer.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    std::string_view upper{buffer.data(), name.size()};
    if (upper.starts_with(kPrefix)) upper.remove_prefix(kPrefix.size());
    for (std::size_t i = 0; i < kStandardSignals; ++i) {
        if (kSignals.at(i).substr(kPrefix.size()) == upper) return static_cast<int>(i) + 1;
    }
    for (const Alias& alias : kAliases) {
        if (alias.name == upper) return alias.number;
    }
    return real_time(upper);
}

std::string signal_name(int number) {
    if (number >= 1 && number <= static_cast<int>(kStandardSignals)) {
        return std::string{kSignals.at(static_cast<std::size_t>(number - 1))};
    }
    if (number == kFirstRealTime) return "SIGRTMIN";
    if (number == kLastSignal) return "SIGRTMAX";
    if (number > kFirstRealTime && number < kLastSignal) {
        return fmt::format("SIGRTMIN+{}", number - kFirstRealTime);
    }
    return fmt::format("SIG{}", number);
}

bool ends_by_default(int number) noexcept {
    constexpr std::array kOthers{SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
                                 SIGTTIN, SIGTTOU, SIGURG,  SIGWINCH};
    return number >= 1 && number <= kLastSignal &&
           std::find(kOthers.begin(), kOthers.end(), number) == kOthers.end();
}

std::span<const std::string_view> signal_names() noexcept {
    return kSignals;
}

}  // namespace covey::spec
