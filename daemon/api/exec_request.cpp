#include "api/exec_request.hpp"

#include "api/capability_codec.hpp"
#include "api/query.hpp"
#include "base/id.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

namespace covey::daemon {
namespace {

constexpr std::array<std::string_view, 8> kParameters{"cmd", "env",  "user",    "cwd",
                                                      "tty", "rows", "columns", "cap"};

Error bad(std::string_view name, std::string_view value, std::string_view reason,
          std::string_view fix) {
    return Error(Code::invalid_argument,
                 fmt::format("query parameter '{}': '{}' {}", name, value, reason))
        .with_fix(std::string{fix});
}

/// -1 as an id means "leave it" to the kernel: setresuid(2).
std::optional<std::uint32_t> parse_kernel_id(std::string_view text) {
    const auto id = parse_u32(text);
    return id && *id != std::numeric_limits<std::uint32_t>::max() ? id : std::nullopt;
}

void read_exec_user(const Query& query, ExecAction& action) {
    const auto user = query.one("user");
    if (!user) return;
    const auto colon = user->find(':');
    const auto uid = parse_kernel_id(std::string_view{*user}.substr(0, colon));
    std::optional<std::uint32_t> gid;
    if (colon != std::string::npos)
        gid = parse_kernel_id(std::string_view{*user}.substr(colon + 1));
    if (!uid || (colon != std::string::npos && !gid))
        throw bad("user", *user, "must be UID or UID:GID in digits",
                  "names are not looked up: write ?user=1000:1000");
    action.uid = uid;
    action.gid = gid;
}

}  // namespace

ExecAction decode_exec(const std::string& container, const QueryParameters& parameters) {
    require_valid_id(container, "container id");
    const Query query{parameters, kParameters};
    ExecAction action;
    action.container = container;
    action.command = query.all("cmd");
    if (action.command.empty() || action.command.front().empty())
        throw Error(Code::invalid_argument,
                    "query parameter 'cmd' is missing: exec needs a program")
            .with_fix("name the program and each argument: ?cmd=/bin/ps&cmd=ax");
    action.env = query.all("env");
    for (std::size_t i = 0; i < action.env.size(); ++i)  // never quoted: they are secrets, often
        if (const auto equals = action.env[i].find('='); equals == std::string::npos || equals == 0)
            throw Error(Code::invalid_argument,
                        fmt::format("query parameter 'env', number {}, must be NAME=value", i + 1))
                .with_fix("write ?env=NAME=value");
    read_exec_user(query, action);
    action.cwd = query.one("cwd");
    if (action.cwd && !action.cwd->starts_with('/'))
        throw bad("cwd", *action.cwd, "must be an absolute path", "write ?cwd=/tmp");
    action.terminal = query.flag("tty");
    action.rows = static_cast<std::uint16_t>(query.number("rows", 1, 65535).value_or(0));
    action.columns = static_cast<std::uint16_t>(query.number("columns", 1, 65535).value_or(0));
    if (!action.terminal && (action.rows != 0 || action.columns != 0))
        throw Error(Code::invalid_argument, "query parameters 'rows' and 'columns' need a terminal")
            .with_fix("add tty=true, or leave them out");
    for (const auto& name : query.all("cap")) {
        const auto bit = capability_bit(name);
        if (!bit)
            throw Error(Code::invalid_argument,
                        "query parameter 'cap': " + unknown_capability(name))
                .with_fix("capabilities(7) lists the names; CAP_ may be left out");
        action.add_capabilities |= *bit;
    }
    return action;
}

}  // namespace covey::daemon
