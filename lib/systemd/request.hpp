// What covey-systemd is asked for, by its arguments:
//
//     covey-systemd [--user] start UNIT PID [NAME SIGNATURE VALUE]…
//     covey-systemd [--user] set UNIT [NAME SIGNATURE VALUE]…
//     covey-systemd [--user] stop UNIT
//
// Signature: "b" ("true", "false"), "i", "t" (decimal), "s", "as" (a line each), "a(ss)" (a line
// each, two words with a blank between them), "ay" (hexadecimal). The answer goes to descriptor 3,
// and the exit status is 0 either way:
//
//     ok\n<the unit's control group, for start and set>\n
//     (when nobody reads it any more, a unit that was started is stopped again)
//     error\n<code of the closed list>\n<what went wrong>\n<the fix>\n
//
// Called by main. Thread rule: pure functions. Do not block.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::systemd {

struct Property {
    std::string name, signature, value;
};
struct Request {
    bool user = false;  // the manager of the caller's login
    enum class Verb { start, set, stop } verb = Verb::stop;
    std::string unit;
    pid_t pid = 0;  // start: the process that the unit begins with
    std::vector<Property> properties;
};
/// `words` without the program's name. Throws invalid_argument.
[[nodiscard]] Request parse_request(std::span<const std::string> words);

/// Throws invalid_argument for what is not hexadecimal.
[[nodiscard]] std::vector<unsigned char> bytes_of(std::string_view hexadecimal);

}  // namespace covey::systemd
