#include "runtime/failure.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "runtime/console.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

/// "launcher: exec "x": …" and "init: exec /x: …" are about the program that the caller named: only
/// then are the words meant that become exit status 126 or 127.
bool is_about_program(std::string_view detail) {
    for (const std::string_view stage : {"launcher: ", "init: ", "exec: "})
        if (detail.starts_with(stage)) {
            detail.remove_prefix(stage.size());
            return detail.starts_with("exec ");
        }
    return false;
}

std::string without_callers_words(std::string text) {
    constexpr std::array kWords{
        std::pair{std::string_view{"no such file or directory"}, std::string_view{"missing"}},
        std::pair{std::string_view{"operation not permitted"}, std::string_view{"not allowed"}},
        std::pair{std::string_view{"permission denied"}, std::string_view{"access refused"}},
    };
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    for (const auto& [word, instead] : kWords)
        for (auto from = text.begin();;) {
            const auto found = std::search(from, text.end(), word.begin(), word.end(),
                                           [&](char a, char b) { return lower(a) == b; });
            if (found == text.end()) break;
            const auto at = found - text.begin();
            text.replace(static_cast<std::size_t>(at), word.size(), instead);
            from = text.begin() + at;
        }
    return text;
}

std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(),
        [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; }, ' ');
    return text;
}

/// A JSON string; bytes that are no UTF-8 are the file's reader's trouble, so there are none.
std::string json_text(std::string_view text) {
    std::string result = "\"";
    const bool plain = is_utf8(text);
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += plain || static_cast<unsigned char>(c) < 0x80 ? c : '?';
    }
    return result + '"';
}

std::string seconds_now() {
    // RFC 3339 without the fraction, as the logs of other runtimes have it.
    const auto now = rfc3339_now();
    return now.substr(0, now.find('.')) + "Z";
}

void append_line(const std::string& path, const std::string& line) {
    // It may be a link to a pipe that nobody could open anew, as of a process of another user's.
    if (const auto own = descriptor_named(path))
        return sys::write_all(FdRef{*own}, line).or_throw("write log", path);
    const auto file = sys::open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY, 0600)
                          .or_throw("open log", path);
    sys::write_all(file, line).or_throw("write log", path);
}

}  // namespace

bool is_other_logger(std::string_view log) {
    // What conmon-rs names for a runtime that logs elsewhere: stderr has the line.
    return log.starts_with("journald:") || log.starts_with("syslog:");
}

std::string failure_text(std::string_view command, const std::exception& error) {
    std::string text = error.what();
    const bool keep = is_about_program(text);
    if (const auto* ours = dynamic_cast<const Error*>(&error)) {
        for (const auto& cause : ours->causes())
            if (text.find(cause) == std::string::npos) text += "; " + cause;
        if (!ours->fix().empty()) text += " (fix: " + ours->fix() + ")";
    }
    if (!keep) text = without_callers_words(std::move(text));
    if (!command.empty()) text = fmt::format("{}: {}", command, text);
    return one_line(std::move(text));
}

void report_failure(const Globals& globals, std::string_view command,
                    const std::exception& error) noexcept {
    try {
        const auto text = failure_text(command, error);
        (void)sys::write_all(FdRef{STDERR_FILENO}, "covey-runtime: " + text + "\n");
        if (globals.log_file.empty() || is_other_logger(globals.log_file)) return;
        const auto time = seconds_now();
        append_line(globals.log_file,
                    globals.log_format == "json"
                        ? fmt::format("{{\"level\":\"error\",\"msg\":{},\"time\":\"{}\"}}\n",
                                      json_text(text), time)
                        : fmt::format("time=\"{}\" level=error msg={}\n", time, json_text(text)));
    } catch (const std::exception& second) {
        (void)sys::write_all(FdRef{STDERR_FILENO},
                             one_line(std::string{"covey-runtime: "} + second.what()) + "\n");
    }
}

void report_warning(std::string_view text) noexcept {
    try {
        (void)sys::write_all(FdRef{STDERR_FILENO},
                             one_line(fmt::format("covey-runtime: warning: {}", text)) + "\n");
    } catch (...) {  // NOLINT(bugprone-empty-catch): a warning is not worth a failure
    }
}

}  // namespace covey::runtime
